import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Lookers, type Looker } from '../calling/lookers.js';
import { StartTurns } from '../calling/start-turns.js';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { Clock } from '../platform/clock.js';
import type { DueListing } from '../ledger/listings.js';
import { crashPoint } from '../platform/crash-points.js';
import { Bells } from '../platform/queues/bells.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { ScanTasks, type ResourceQuery } from '../upstream/scan-tasks.js';
import { clockOffsetMs } from '../domain/upstream-clock.js';
import type { AnyList, ListCallAnswer } from './list-answer.js';
import { ListSettler } from './list-settler.js';
import { ListStarter, type StartedList, type Subject } from './list-starter.js';

/** Pages of one look; then the other lanes have their turn. */
const MAX_PAGES_A_LOOK = 24;
const PAGE_ROWS = 200;

/** Looks at list lanes: finds out what became of calls whose fate is unknown, and what of a scan task has failed. */
@Injectable()
export class Watcher implements Looker, OnModuleInit {
  private readonly logger = new Logger(Watcher.name);
  private stopping = false;
  private readonly lanes: readonly Lane[];

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly bells: Bells,
    private readonly starter: ListStarter,
    private readonly turns: StartTurns,
    private readonly settler: ListSettler,
    private readonly scanTasks: ScanTasks,
    private readonly metrics: Metrics,
    private readonly lookers: Lookers,
  ) {
    this.lanes = lanesOf(config);
  }

  onModuleInit(): void {
    this.lookers.register(['listTasks', 'listTaskResources'], this);
  }

  stop(): void {
    this.stopping = true;
  }

  async look(lane: Lane): Promise<void> {
    for (let pages = 0; pages < MAX_PAGES_A_LOOK; pages += 1) {
      if (this.stopping) return;
      const turn = await this.turns.take(lane.id, () => this.starter.start(lane));
      if (!turn) return;
      if (turn.kind === 'nothing') {
        const { now, nextLookAt } = turn;
        if (nextLookAt) await this.bells.ringLater(lane.id, nextLookAt, nextLookAt.getTime() - now.getTime());
        return;
      }
      crashPoint('lookup.committed');
      await this.list(lane, turn.started);
    }
    await this.bells.ring([lane.id]);
  }

  private async list(lane: Lane, started: StartedList): Promise<void> {
    const answer = await this.read(lane, started);
    crashPoint('lookup.answered');
    const { outcome } = answer;
    const { subject } = started;
    if (outcome.kind === 'blocked' && outcome.by === 'authentication') {
      this.scanTasks.renewCredential(lane.credential.name);
    }
    this.metrics.requestsEnded((await this.settler.settle(lane, started, answer)).length);
    crashPoint('lookup.settled');
    if (subject.purpose === 'listing') await this.ringOthers(subject.listing, outcome);
    this.logger.log({
      msg: `${subject.purpose} ${outcome.kind}`,
      listId: started.listId,
      callId: subject.purpose === 'lookup' ? subject.lookup.callId : null,
      laneId: lane.id,
      rows: outcome.kind === 'read' ? outcome.page.rowsSeen : null,
      httpStatus: outcome.evidence.httpStatus,
      errorCode: outcome.evidence.errorCode,
      durationMs: answer.durationMs,
    });
  }

  /** What comes after a step of a listing is due in other lanes: without a bell it would wait for the sweep. */
  private async ringOthers({ projectId, step }: DueListing, outcome: ListCallAnswer['outcome']): Promise<void> {
    if (outcome.kind !== 'read' || outcome.page.nextOffset !== null) return;
    const next = step === 'counts' ? (['listTaskResources', 'retryTask'] as const) : (['retryTask'] as const);
    await this.bells.ring(next.flatMap((of) => lanesServing(this.lanes, projectId, of)).map(({ id }) => id));
  }

  private async read(lane: Lane, started: StartedList): Promise<ListCallAnswer> {
    const answer = await this.ask(lane, started);
    const elapsedMs = this.clock.monotonicMs() - started.leasedAtMs;
    const { serverDate } = answer;
    return { ...answer, clockOffsetMs: serverDate && clockOffsetMs(serverDate, started.startedAt, elapsedMs) };
  }

  private ask(lane: Lane, { subject, at, leasedAtMs }: StartedList): Promise<AnyList> {
    const { projectId, enterpriseProjectId, taskId, offset } =
      subject.purpose === 'lookup' ? subject.lookup : subject.listing;
    const mayStart = (): boolean =>
      !this.stopping && this.clock.monotonicMs() - leasedAtMs < this.config.policy.leaseMarginMs;
    const query = {
      credential: lane.credential.name,
      projectId,
      enterpriseProjectId,
      taskId,
      at,
      offset: Math.max(0, offset),
      limit: PAGE_ROWS,
      mayStart,
    };
    return lane.operation === 'listTaskResources'
      ? this.scanTasks.listTaskResources({ ...query, ...filterOf(subject) })
      : this.scanTasks.listTasks(query);
  }
}

function filterOf(subject: Subject): Pick<ResourceQuery, 'clusterId' | 'scanStatus'> {
  if (subject.purpose === 'listing') return subject.listing.failedOnly ? { scanStatus: 'failed' } : {};
  return subject.clusterId === null ? {} : { clusterId: subject.clusterId };
}
