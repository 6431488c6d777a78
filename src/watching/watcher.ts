import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Lookers, type Looker } from '../calling/lookers.js';
import { StartTurns } from '../calling/start-turns.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { Bells } from '../platform/queues/bells.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { ScanTasks, type ClusterScan, type ListAnswer, type TaskSummary } from '../upstream/scan-tasks.js';
import { clockOffsetMs } from '../domain/upstream-clock.js';
import type { LookupAnswer } from './lookup-answer.js';
import { LookupSettler } from './lookup-settler.js';
import { LookupStarter, type StartedLookup } from './lookup-starter.js';

/** Pages of one look; then the other lanes have their turn. */
const MAX_PAGES_A_LOOK = 24;
const PAGE_ROWS = 200;

/** Looks at list lanes: finds out what became of calls whose fate is unknown. */
@Injectable()
export class Watcher implements Looker, OnModuleInit {
  private readonly logger = new Logger(Watcher.name);
  private stopping = false;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly bells: Bells,
    private readonly starter: LookupStarter,
    private readonly turns: StartTurns,
    private readonly settler: LookupSettler,
    private readonly scanTasks: ScanTasks,
    private readonly metrics: Metrics,
    private readonly lookers: Lookers,
  ) {}

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
      await this.lookUp(lane, turn.started);
    }
    await this.bells.ring([lane.id]);
  }

  private async lookUp(lane: Lane, started: StartedLookup): Promise<void> {
    const answer = await this.read(lane, started);
    crashPoint('lookup.answered');
    const { outcome } = answer;
    if (outcome.kind === 'blocked' && outcome.by === 'authentication') {
      this.scanTasks.renewCredential(lane.credential.name);
    }
    this.metrics.requestsEnded((await this.settler.settle(lane, started, answer)).length);
    crashPoint('lookup.settled');
    this.logger.log({
      msg: `lookup ${outcome.kind}`,
      listId: started.listId,
      callId: started.lookup.callId,
      laneId: lane.id,
      offset: started.lookup.offset,
      rows: outcome.kind === 'read' ? outcome.page.rowsSeen : null,
      httpStatus: outcome.evidence.httpStatus,
      errorCode: outcome.evidence.errorCode,
      durationMs: answer.durationMs,
    });
  }

  private async read(lane: Lane, started: StartedLookup): Promise<LookupAnswer> {
    const answer = await this.ask(lane, started);
    const elapsedMs = this.clock.monotonicMs() - started.leasedAtMs;
    const { serverDate } = answer;
    return { ...answer, clockOffsetMs: serverDate && clockOffsetMs(serverDate, started.startedAt, elapsedMs) };
  }

  private ask(
    lane: Lane,
    { lookup, clusterId, at, leasedAtMs }: StartedLookup,
  ): Promise<ListAnswer<ClusterScan> | ListAnswer<TaskSummary>> {
    const { projectId, enterpriseProjectId, taskId, offset } = lookup;
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
      ? this.scanTasks.listTaskResources(clusterId === null ? query : { ...query, clusterId })
      : this.scanTasks.listTasks(query);
  }
}
