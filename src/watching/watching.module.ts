import { Module } from '@nestjs/common';
import { CallingModule } from '../calling/calling.module.js';
import { ListWorksModule } from './list-works.module.js';
import { ListSettler } from './list-settler.js';
import { ListStarter } from './list-starter.js';
import { ListingReader } from './listing-reader.js';
import { LookupReader } from './lookup-reader.js';
import { RunningReader } from './running-reader.js';
import { VerdictReader } from './verdict-reader.js';
import { Watcher } from './watcher.js';

@Module({
  imports: [CallingModule, ListWorksModule],
  providers: [ListSettler, ListStarter, ListingReader, LookupReader, RunningReader, VerdictReader, Watcher],
})
export class WatchingModule {}
