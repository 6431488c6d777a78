import { Global, Module } from '@nestjs/common';
import { ApiKeyLedger } from './api-keys.js';
import { AwaitedScanLedger } from './awaited-scans.js';
import { CallbackTurnLedger } from './callback-turns.js';
import { CallbackLedger } from './callbacks.js';
import { CallLedger } from './calls.js';
import { ChoosingLedger } from './choosing.js';
import { EventLedger } from './events.js';
import { FillingLedger } from './filling.js';
import { FindingLedger } from './fire-findings.js';
import { LaneControlLedger } from './lane-control.js';
import { LaneLedger } from './lanes.js';
import { LeavingLedger } from './leaving.js';
import { ListCallLedger } from './list-calls.js';
import { ListedLedger } from './listed.js';
import { ListingWishes } from './listing-wishes.js';
import { ListingLedger } from './listings.js';
import { LookupLedger } from './lookups.js';
import { OverdueLedger } from './overdue.js';
import { PastRequestLedger } from './past-requests.js';
import { ReleasingLedger } from './releasing.js';
import { RequestLedger } from './requests.js';
import { FireLedger } from './schedule-fires.js';
import { ScheduleLedger } from './schedules.js';
import { SealHeadLedger } from './seal-heads.js';
import { SealLedger } from './seals.js';
import { SuspectLedger } from './suspects.js';
import { RedactionLedger } from './redactions.js';
import { WholeSetLedger } from './whole-sets.js';
import { TakingBackLedger } from './taking-back.js';
import { RetryOutcomeLedger } from './retry-outcomes.js';
import { RollupLedger } from './rollups.js';
import { VerdictLedger } from './verdicts.js';
import { WatchLedger } from './watches.js';
import { WatchPassLedger } from './watch-passes.js';

const parts = [
  ApiKeyLedger,
  AwaitedScanLedger,
  CallbackLedger,
  CallbackTurnLedger,
  CallLedger,
  ChoosingLedger,
  EventLedger,
  FillingLedger,
  FindingLedger,
  FireLedger,
  LaneControlLedger,
  LaneLedger,
  LeavingLedger,
  ListCallLedger,
  ListedLedger,
  ListingLedger,
  ListingWishes,
  LookupLedger,
  OverdueLedger,
  PastRequestLedger,
  RedactionLedger,
  ReleasingLedger,
  RequestLedger,
  ScheduleLedger,
  SealHeadLedger,
  SealLedger,
  SuspectLedger,
  RetryOutcomeLedger,
  RollupLedger,
  TakingBackLedger,
  VerdictLedger,
  WatchLedger,
  WatchPassLedger,
  WholeSetLedger,
];

@Global()
@Module({ providers: parts, exports: parts })
export class LedgerModule {}
