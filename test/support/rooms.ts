import { Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RequestEnds } from '../../src/callbacks/request-ends.js';
import { CallSettler } from '../../src/calling/call-settler.js';
import { CallStarter } from '../../src/calling/call-starter.js';
import { LaneSettler } from '../../src/calling/lane-settler.js';
import { LateAnswers } from '../../src/calling/late-answers.js';
import { TargetSettler } from '../../src/calling/target-settler.js';
import { UnknownResolver } from '../../src/calling/unknown-resolver.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { APP_CONFIG } from '../../src/config/tokens.js';
import { CallbackLedger } from '../../src/ledger/callbacks.js';
import { LedgerModule } from '../../src/ledger/ledger.module.js';
import { Clock } from '../../src/platform/clock.js';
import { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { Metrics } from '../../src/platform/telemetry/metrics.js';
import { DueSchedules } from '../../src/schedules/due-schedules.js';
import { FireReader } from '../../src/schedules/fire-reader.js';
import { FireSubmitter } from '../../src/schedules/fire-submitter.js';
import { VerdictTimeouts } from '../../src/sweeping/verdict-timeouts.js';
import { ListSettler } from '../../src/watching/list-settler.js';
import { ListStarter } from '../../src/watching/list-starter.js';
import { ListWorks } from '../../src/watching/list-work.js';
import { ListingReader } from '../../src/watching/listing-reader.js';
import { LookupReader } from '../../src/watching/lookup-reader.js';
import { RunningReader } from '../../src/watching/running-reader.js';
import { VerdictReader } from '../../src/watching/verdict-reader.js';

/** Whatever decides and writes between intake and upstream; not what listens to a queue or a clock, or sends. */
const ROOMS = [
  CallSettler,
  CallStarter,
  DueSchedules,
  FireReader,
  FireSubmitter,
  LaneSettler,
  LateAnswers,
  ListSettler,
  ListStarter,
  ListWorks,
  ListingReader,
  LookupReader,
  RunningReader,
  TargetSettler,
  UnknownResolver,
  VerdictReader,
  VerdictTimeouts,
];

/** Without bells: no callback is wanted here, and nothing is rung for. */
const ends = {
  provide: RequestEnds,
  inject: [PrismaService, Metrics],
  useFactory: (prisma: PrismaService, metrics: Metrics) =>
    new RequestEnds(new CallbackLedger(prisma), undefined as never, metrics),
};

@Module({})
class Rooms {
  static over(config: AppConfig, prisma: PrismaService): DynamicModule {
    const given = [
      { provide: APP_CONFIG, useValue: config },
      { provide: PrismaService, useValue: prisma },
      Clock,
      Metrics,
      ends,
    ];
    const ground = { module: Ground, global: true, providers: given, exports: given };
    return { module: Rooms, imports: [ground, LedgerModule], providers: ROOMS };
  }
}

@Module({})
class Ground {}

/** As the service puts them together: by Nest, from what each of them asks for. */
export function openRooms(config: AppConfig, prisma: PrismaService): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(Rooms.over(config, prisma), { logger: false, abortOnError: false });
}
