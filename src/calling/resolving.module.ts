import { Module } from '@nestjs/common';
import { TargetSettler } from './target-settler.js';
import { UnknownResolver } from './unknown-resolver.js';

/** What an api process needs too, without any processor. */
@Module({ providers: [TargetSettler, UnknownResolver], exports: [TargetSettler, UnknownResolver] })
export class ResolvingModule {}
