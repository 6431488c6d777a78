import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Lane, Operation } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { nextPage } from '../domain/fire.js';
import { toMask } from '../domain/scan-type.js';
import { MAX_CLUSTERS_OF_TASK, MAX_TASKS_READ, MAX_TASKS_SEEN } from '../domain/schedule.js';
import { failedReasons } from '../domain/verdict.js';
import { FindingLedger, type FoundCluster } from '../ledger/fire-findings.js';
import { FireLedger, type OpenFire } from '../ledger/schedule-fires.js';
import { crashPoint } from '../platform/crash-points.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import type { ClusterScan, FailedOutcome, ListPage, TaskSummary } from '../upstream/scan-tasks.js';
import type { ListCallAnswer } from '../watching/list-answer.js';
import {
  ListWorks,
  readerOf,
  type ListFilter,
  type ListJob,
  type ListWork,
  type ProjectDue,
} from '../watching/list-work.js';
import { FireSubmitter, type Findings } from './fire-submitter.js';

/** In a row, of one page. */
const MAX_FAILURES = 5;
const HOUR_MS = 3_600_000;
const MAX_COUNT = 1_000_000_000;

const stepIn = ({ operation }: Lane): OpenFire['step'] => (operation === 'listTasks' ? 'tasks' : 'clusters');

/** Reads what a fire is about, page by page: scan tasks first, and then the failed clusters of each. */
@Injectable()
export class FireReader implements ListWork, OnModuleInit {
  readonly purpose = 'schedule';

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly works: ListWorks,
    private readonly fires: FireLedger,
    private readonly findings: FindingLedger,
    private readonly submitter: FireSubmitter,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.works.register(this);
  }

  async take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<ListJob | null> {
    const fire = await this.fires.takeDue(tx, readerOf(lane), stepIn(lane), now, leaseUntil);
    if (!fire) return null;
    const { projectId, enterpriseProjectId, offset } = fire;
    let due: readonly Operation[] = [];
    return {
      projectId,
      enterpriseProjectId,
      scanTaskId: null,
      callId: null,
      offset,
      filter: filterOf(fire),
      apply: async (inTx, answer, at) => {
        due = await this.apply(inTx, fire, answer, at);
        return [];
      },
      settled: () => {
        if (due.includes('retryTask')) this.metrics.requestSubmitted('schedule');
      },
      dueAfter: () => due,
    };
  }

  nextDueAt(tx: Tx, lane: Lane): Promise<Date | null> {
    return this.fires.nextDueAt(tx, readerOf(lane), stepIn(lane));
  }

  async projectsDue(tx: Tx): Promise<ProjectDue[]> {
    const due = await this.fires.projectsDue(tx);
    return due.map(({ projectId, step }) => ({
      projectId,
      operation: step === 'clusters' ? 'listTaskResources' : 'listTasks',
    }));
  }

  /** @returns operations for which something became due */
  private async apply(tx: Tx, asked: OpenFire, { outcome }: ListCallAnswer, now: Date): Promise<readonly Operation[]> {
    const fire = await this.fires.lock(tx, asked);
    if (!fire) return [];
    const due =
      outcome.kind !== 'read'
        ? await this.notRead(tx, fire, outcome, now)
        : fire.taskId === null
          ? await this.readTasks(tx, fire, outcome.page as ListPage<TaskSummary>, now)
          : await this.readClusters(tx, fire, fire.taskId, outcome.page as ListPage<ClusterScan>, now);
    crashPoint('schedule.page_read');
    return due;
  }

  private async readTasks(
    tx: Tx,
    fire: OpenFire,
    page: ListPage<TaskSummary>,
    now: Date,
  ): Promise<readonly Operation[]> {
    const rows = page.rows.map(({ taskId, failedClusters }) => ({ taskId, failed: storable(failedClusters) }));
    const tasksSeen = fire.tasksSeen + (await this.findings.keepTasks(tx, fire, rows));
    const offset = nextPage(fire, page);
    // Both: an upstream that shows the same rows on each page comes to an end as well.
    if (offset !== null && offset < MAX_TASKS_SEEN && tasksSeen < MAX_TASKS_SEEN) {
      await this.fires.goOn(tx, fire.id, { ...fire, tasksSeen, offset, expected: storable(page.total) }, now);
      return [];
    }
    await this.findings.leaveOutTasks(tx, fire.id, fire.terms.minFailed, MAX_TASKS_READ);
    return this.nextTask(tx, { ...fire, tasksSeen }, now);
  }

  private async readClusters(
    tx: Tx,
    fire: OpenFire,
    taskId: string,
    page: ListPage<ClusterScan>,
    now: Date,
  ): Promise<readonly Operation[]> {
    await this.findings.keepClusters(tx, fire.id, taskId, failedOf(fire, page));
    const offset = nextPage(fire, page);
    if (offset !== null && offset < MAX_CLUSTERS_OF_TASK) {
      await this.fires.goOn(tx, fire.id, { ...fire, offset, expected: storable(page.total) }, now);
      return [];
    }
    const found = await this.submitter.endTask(tx, fire, taskId, storable(page.total), now);
    const next = await this.nextTask(tx, { ...fire, ...found.totals }, now);
    return [...next, ...found.due];
  }

  /** The next scan task, or the end. */
  private async nextTask(tx: Tx, fire: OpenFire & Findings, now: Date): Promise<readonly Operation[]> {
    if (fire.clustersTaken >= fire.terms.maxClusters) await this.findings.leaveOutRest(tx, fire.id, 'max_clusters');
    const place = await this.findings.nextTask(tx, fire.id);
    const to = { ...fire, step: 'clusters', place: place ?? fire.place, offset: 0, expected: null } as const;
    if (place === null) {
      await this.fires.complete(tx, fire.id, to, now);
      return [];
    }
    await this.fires.goOn(tx, fire.id, to, now);
    return ['listTaskResources'];
  }

  /** A lane that is closed says nothing about the fire; what it is about may be gone, or not readable for a while. */
  private async notRead(tx: Tx, fire: OpenFire, outcome: FailedOutcome, now: Date): Promise<readonly Operation[]> {
    const { kind } = outcome;
    const failures = fire.failures + (kind === 'unknown' || kind === 'unavailable' ? 1 : 0);
    if (kind !== 'rejected' && failures < MAX_FAILURES) {
      const waitMs = backoffMs(failures, this.config.policy.lookup.backoff, Math.random);
      await this.fires.postpone(tx, fire.id, failures, new Date(now.getTime() + waitMs));
      return [];
    }
    const reason = kind === 'rejected' ? 'refused' : 'not_readable';
    if (fire.taskId === null) {
      await this.fires.fail(tx, fire.id, reason);
      return [];
    }
    const totals = await this.submitter.leaveOutTask(tx, fire, fire.taskId, reason);
    return this.nextTask(tx, { ...fire, ...totals }, now);
  }
}

/** What an upstream says may be more than a column takes. */
const storable = (count: number | null): number | null => count && Math.min(count, MAX_COUNT);

function filterOf({ taskId, terms: { selection }, createdAt }: OpenFire): ListFilter {
  if (taskId !== null) return { taskId, scanStatus: 'failed' };
  if ('taskIds' in selection) throw new Error('scan tasks that are named need no list of them');
  const { lookbackHours, namePattern, triggerType, scanTypes } = selection;
  return {
    // By the upstream's clock; what it differs by is nothing beside hours.
    createdFrom: new Date(createdAt.getTime() - lookbackHours * HOUR_MS),
    ...(namePattern === undefined ? {} : { taskName: namePattern }),
    ...(triggerType === undefined ? {} : { triggerType }),
    ...(scanTypes === undefined ? {} : { scanTypes }),
  };
}

/** An upstream that ignores the filter must not answer for clusters that have not failed. */
function failedOf({ terms: { selection } }: OpenFire, { rows }: ListPage<ClusterScan>): FoundCluster[] {
  const wanted = toMask('taskIds' in selection ? [] : selection.scanTypes);
  return rows
    .filter(({ scanStatus }) => scanStatus === 'failed' || scanStatus === null)
    .map(({ clusterId, items }) => {
      const failed = items.filter(({ status }) => status === 'failed').map(({ scanType }) => scanType);
      // Of an item that has no type, or no state, nothing can be ruled out.
      const isTold = failed.length > 0 && items.every(({ scanType, status }) => scanType !== null && status !== null);
      const failedMask = toMask(failed.filter((type) => type !== null));
      const otherScanTypes = wanted !== 0 && isTold && (failedMask & wanted) === 0;
      return { clusterId, otherScanTypes, reasons: failedReasons(items) };
    });
}
