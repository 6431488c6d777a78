import { Global, Module } from '@nestjs/common';
import { RequestEnds } from './request-ends.js';

/** For all who end requests, in every role. */
@Global()
@Module({ providers: [RequestEnds], exports: [RequestEnds] })
export class RequestEndsModule {}
