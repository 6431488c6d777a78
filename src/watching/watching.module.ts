import { Module } from '@nestjs/common';
import { CallingModule } from '../calling/calling.module.js';
import { ListSettler } from './list-settler.js';
import { ListStarter } from './list-starter.js';
import { ListingReader } from './listing-reader.js';
import { LookupReader } from './lookup-reader.js';
import { Watcher } from './watcher.js';

@Module({ imports: [CallingModule], providers: [ListSettler, ListStarter, ListingReader, LookupReader, Watcher] })
export class WatchingModule {}
