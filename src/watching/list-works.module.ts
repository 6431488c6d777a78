import { Module } from '@nestjs/common';
import { ListWorks } from './list-work.js';

/** By itself, so that whoever brings a purpose, or sweeps all of them, needs nothing else of watching. */
@Module({ providers: [ListWorks], exports: [ListWorks] })
export class ListWorksModule {}
