import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { RequestEnds } from '../callbacks/request-ends.js';
import { Lookers, type Looker } from '../calling/lookers.js';
import { StartTurns } from '../calling/start-turns.js';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { Bells } from '../platform/queues/bells.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { ScanTasks } from '../upstream/scan-tasks.js';
import { PAGE_ROWS } from '../domain/listing.js';
import { clockOffsetMs } from '../domain/upstream-clock.js';
import type { AnyList, ListCallAnswer } from './list-answer.js';
import { ListSettler } from './list-settler.js';
import { ListStarter, type StartedList } from './list-starter.js';

/** Pages of one look; then the other lanes have their turn. */
const MAX_PAGES_A_LOOK = 24;

/** Looks at list lanes: reads pages for whoever waits for them. */
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
    private readonly ends: RequestEnds,
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
      crashPoint('list.committed');
      await this.list(lane, turn.started);
    }
    await this.bells.ring([lane.id]);
  }

  private async list(lane: Lane, started: StartedList): Promise<void> {
    const answer = await this.read(lane, started);
    crashPoint('list.answered');
    const { outcome } = answer;
    const { job } = started;
    if (outcome.kind === 'blocked' && outcome.by === 'authentication') {
      this.scanTasks.renewCredential(lane.credential.name);
    }
    const { finishedRequests, alarm } = await this.settler.settle(lane, started, answer);
    crashPoint('list.settled');
    job.settled?.();
    this.metrics.listCallEnded(started.purpose, outcome.kind);
    await this.ends.tell(finishedRequests);
    const due = job.dueAfter?.(answer) ?? [];
    await this.bells.ring(due.flatMap((of) => lanesServing(this.lanes, job.projectId, of)).map(({ id }) => id));
    const line = {
      msg: `${started.purpose} ${outcome.kind}`,
      listId: started.listId,
      callId: job.callId,
      laneId: lane.id,
      rows: outcome.kind === 'read' ? outcome.page.rowsSeen : null,
      httpStatus: outcome.evidence.httpStatus,
      errorCode: outcome.evidence.errorCode,
      durationMs: answer.durationMs,
    };
    if (alarm) this.logger.error({ ...line, alarm: true });
    else this.logger.log(line);
  }

  private async read(lane: Lane, started: StartedList): Promise<ListCallAnswer> {
    const answer = await this.ask(lane, started);
    const elapsedMs = this.clock.monotonicMs() - started.leasedAtMs;
    const { serverDate } = answer;
    return { ...answer, clockOffsetMs: serverDate && clockOffsetMs(serverDate, started.startedAt, elapsedMs) };
  }

  private ask(lane: Lane, { job, at, leasedAtMs }: StartedList): Promise<AnyList> {
    const { projectId, enterpriseProjectId, offset, filter } = job;
    const mayStart = (): boolean =>
      !this.stopping && this.clock.monotonicMs() - leasedAtMs < this.config.policy.leaseMarginMs;
    const query = {
      credential: lane.credential.name,
      projectId,
      enterpriseProjectId,
      at,
      offset: Math.max(0, offset),
      limit: PAGE_ROWS,
      mayStart,
    };
    const { clusterId, scanStatus, ...ofTasks } = filter;
    if (lane.operation === 'listTasks') return this.scanTasks.listTasks({ ...query, ...ofTasks });
    const { taskId } = filter;
    if (taskId === undefined) throw new Error('a list of clusters without its scan task');
    const ofClusters = { ...(clusterId ? { clusterId } : {}), ...(scanStatus ? { scanStatus } : {}) };
    return this.scanTasks.listTaskResources({ ...query, taskId, ...ofClusters });
  }
}
