import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Operation } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { chooseClusters, type Choice } from '../domain/fire.js';
import { LARGE_ABOVE } from '../domain/listing.js';
import type { Submission } from '../domain/request.js';
import { msOf, type TaskLeftOut } from '../domain/schedule.js';
import { FindingLedger } from '../ledger/fire-findings.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { RequestLedger } from '../ledger/requests.js';
import type { OpenFire } from '../ledger/schedule-fires.js';
import { ScheduleLedger } from '../ledger/schedules.js';
import { crashPoint } from '../platform/crash-points.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** What a fire has come to so far. */
export type Findings = Pick<OpenFire, 'tasksTaken' | 'clustersSeen' | 'clustersTaken' | 'leftOut'>;

export interface EndedTask {
  readonly totals: Findings;
  /** Operations for which something became due. */
  readonly due: readonly Operation[];
}

/** Requests what is left of a scan task once all that is against it is counted. The fire is locked. */
@Injectable()
export class FireSubmitter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly findings: FindingLedger,
    private readonly schedules: ScheduleLedger,
    private readonly requests: RequestLedger,
    private readonly listings: ListingWishes,
  ) {}

  /**
   * The request is stored in the transaction that marks the scan task as submitted: once, or not at all.
   * @param failed clusters of the task, as their list says; more than were read where there were too many
   */
  async endTask(tx: Tx, fire: OpenFire, taskId: string, failed: number | null, now: Date): Promise<EndedTask> {
    const { seen, other } = await this.findings.countClusters(tx, fire.id, taskId);
    const choice = await this.choose(tx, fire, taskId, now);
    const clustersTaken = choice.taken.length;
    const { id: requestId } = await this.schedules.newId(tx);
    const reason = reasonOf(seen, choice);
    const end = { reason, requestId: reason ? null : requestId, failed, clustersSeen: seen, clustersTaken };
    if (!(await this.findings.endTask(tx, fire.id, taskId, end))) throw new Error(`${taskId} has ended before`);
    await this.findings.leaveOutClusters(tx, fire.id, taskId, choice);
    if (!reason) await this.submit(tx, fire, { requestId, taskId, clusterIds: choice.taken }, now);
    const unread = Math.max(0, (failed ?? seen) - seen);
    const reasons = [
      ...choice.leftOut.map((one) => [one.reason, 1] as const),
      ['other_scan_types', other] as const,
      ['too_many', unread] as const,
    ];
    const totals = {
      tasksTaken: fire.tasksTaken + Number(!reason),
      clustersSeen: fire.clustersSeen + seen,
      clustersTaken: fire.clustersTaken + clustersTaken,
      leftOut: summed(fire.leftOut, reasons),
    };
    const isLarge = clustersTaken > LARGE_ABOVE;
    return { totals, due: reason ? [] : isLarge ? ['retryTask', 'listTasks'] : ['retryTask'] };
  }

  /** It could not be read. */
  async leaveOutTask(tx: Tx, fire: OpenFire, taskId: string, reason: TaskLeftOut): Promise<Findings> {
    const { seen } = await this.findings.countClusters(tx, fire.id, taskId);
    const end = { reason, requestId: null, failed: null, clustersSeen: seen, clustersTaken: 0 };
    if (!(await this.findings.endTask(tx, fire.id, taskId, end))) throw new Error(`${taskId} has ended before`);
    return { ...fire, clustersSeen: fire.clustersSeen + seen };
  }

  private async choose(tx: Tx, fire: OpenFire, taskId: string, now: Date): Promise<Choice> {
    const { terms, caller, clustersTaken } = fire;
    const candidates = await this.findings.candidates(tx, fire, taskId, now);
    const { open } = await this.requests.openTargets(tx, caller);
    const limits = {
      minFailed: terms.minFailed,
      triesPerDay: terms.perCluster?.triesPerDay ?? null,
      minPauseMs: msOf(terms.perCluster?.minPause),
      room: terms.maxClusters - clustersTaken,
      openRoom: this.config.maxOpenTargets - open,
    };
    return chooseClusters(candidates, limits, now);
  }

  private async submit(
    tx: Tx,
    fire: OpenFire,
    { requestId, taskId, clusterIds }: { requestId: string; taskId: string; clusterIds: readonly string[] },
    now: Date,
  ): Promise<void> {
    const { projectId, enterpriseProjectId, caller, keyId, name, terms } = fire;
    const { selection, priority, maxRounds } = terms;
    const submission: Submission = {
      projectId,
      enterpriseProjectId,
      taskId,
      range: 'specific_cluster',
      clusterIds,
      scanTypes: 'taskIds' in selection ? [] : [...(selection.scanTypes ?? [])].sort(),
      priority,
      deadline: null,
      callbackUrl: null,
      maxRounds,
      labels: { schedule: name, fire: fire.id },
    };
    const { scanTaskId } = await this.requests.insert(tx, {
      id: requestId,
      submission,
      submitter: { caller, keyId },
      source: 'schedule',
      replayOf: null,
      maxAgeMs: this.config.policy.maxAgeMs,
      promised: null,
    });
    // As at intake: what is more than one call takes is listed before it leaves.
    if (clusterIds.length > LARGE_ABOVE && priority !== 'urgent') {
      await this.listings.want(tx, scanTaskId, { now, ...this.config.policy.listing, anew: false });
    }
    crashPoint('schedule.submitted');
  }
}

function reasonOf(seen: number, { taken, leftOut }: Choice): TaskLeftOut | null {
  if (taken.length > 0) return null;
  if (seen === 0) return 'no_failures';
  return leftOut.length > 0 && leftOut.every(({ reason }) => reason === 'below_min_failed')
    ? 'below_min_failed'
    : 'nothing_left';
}

function summed(
  before: Readonly<Record<string, number>>,
  reasons: readonly (readonly [reason: string, n: number])[],
): Readonly<Record<string, number>> {
  const sums = { ...before };
  for (const [reason, n] of reasons) if (n > 0) sums[reason] = (sums[reason] ?? 0) + n;
  return sums;
}
