import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { DomainError } from '../domain/domain-error.js';
import type { Estimate } from '../domain/estimate.js';
import { priorityRank, type Priority } from '../domain/priority.js';
import { submissionMeaning, type RequestSource, type Submission } from '../domain/request.js';
import { LARGE_ABOVE } from '../domain/listing.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { RequestLedger } from '../ledger/requests.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { Bells } from '../platform/queues/bells.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { crashPoint } from '../platform/crash-points.js';
import { refuseCallback } from './callback-url.js';
import { RequestDto } from './request.dto.js';
import { Estimator } from './estimator.js';
import { RequestReader } from './request-reader.js';

/** How a request comes to be; `read` is asked only for a fresh key, inside the transaction that stores it. */
export interface Wish {
  readonly projectId: string;
  /** What the body means, whatever it looks like. */
  readonly meaning: string;
  readonly source: RequestSource;
  readonly replayOf: string | null;
  readonly deadline: Date | null;
  readonly callbackUrl: string | null;
  readonly priority: Priority;
  /** Clusters that it is about, at most. */
  readonly clusters: number;
  readonly read: (tx: Tx) => Promise<Submission>;
}

export interface Accepted {
  readonly request: RequestDto;
  /** The key was known: this is the answer that the first one got. */
  readonly replayed: boolean;
}

/** While the queue of a caller is this long, it makes no sense to ask again sooner. */
const RETRY_AFTER_SECONDS = 60;

@Injectable()
export class IntakeService {
  private readonly lanes: Lane[];

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly requests: RequestLedger,
    private readonly reader: RequestReader,
    private readonly listings: ListingWishes,
    private readonly estimator: Estimator,
    private readonly bells: Bells,
    private readonly metrics: Metrics,
  ) {
    this.lanes = lanesOf(config);
  }

  submit(submission: Submission, key: string, principal: Principal): Promise<Accepted> {
    const meaning = submissionMeaning(submission);
    const read = (): Promise<Submission> => Promise.resolve(submission);
    return this.accept(
      {
        projectId: submission.projectId,
        meaning,
        source: 'api',
        replayOf: null,
        deadline: submission.deadline,
        callbackUrl: submission.callbackUrl,
        priority: submission.priority,
        clusters: submission.clusterIds.length,
        read,
      },
      key,
      principal,
    );
  }

  /** Stores a wish once for its key, and rings the lanes that serve it. */
  async accept(wish: Wish, key: string, principal: Principal): Promise<Accepted> {
    const lanes = this.lanesFor(wish.projectId, principal);
    const promised = await this.estimate(wish, principal);
    const { requestId, fresh } = await this.store(wish, promised, key, principal);
    crashPoint('submit.committed');
    if (fresh) {
      this.metrics.requestSubmitted(wish.source);
      await this.bells.ring([...lanes, ...this.listLanes(wish)].map(({ id }) => id));
    }
    crashPoint('submit.rung');
    return { request: await this.reader.findAsAccepted(requestId, principal), replayed: !fresh };
  }

  /** What would be promised, were it submitted now; nothing is stored. */
  async dryRun(submission: Submission, principal: Principal): Promise<Estimate> {
    this.lanesFor(submission.projectId, principal);
    const { open, now } = await this.requests.openTargets(this.prisma, principal.caller);
    refusePast(submission.deadline, now);
    refuseCallback(submission.callbackUrl, this.config.callbacks);
    this.refuseBeyondLimits(open, submission);
    return this.estimate({ ...submission, clusters: submission.clusterIds.length }, principal);
  }

  private estimate(
    { projectId, priority, clusters }: Pick<Wish, 'projectId' | 'priority' | 'clusters'>,
    { caller }: Principal,
  ): Promise<Estimate> {
    const waiting = Math.max(1, clusters);
    return this.estimator.estimate({ requestId: null, projectId, caller, priority: priorityRank(priority), waiting });
  }

  private lanesFor(projectId: string, principal: Principal): readonly Lane[] {
    requireProject(projectId, principal);
    const lanes = lanesServing(this.lanes, projectId, 'retryTask');
    if (lanes.length > 0) return lanes;
    throw new DomainError('project_not_served', 'No credential of rescan serves this project: ask its operators.');
  }

  private store(
    wish: Wish,
    promised: Estimate,
    key: string,
    principal: Principal,
  ): Promise<{ requestId: string; fresh: boolean }> {
    const { caller } = principal;
    const fingerprint = new Uint8Array(createHash('sha256').update(wish.meaning).digest());
    return this.prisma.transact(async (tx) => {
      const retentionMs = this.config.idempotencyRetentionMs;
      const taken = await this.requests.takeKey(tx, { caller, key, fingerprint, retentionMs });
      if (!Buffer.from(taken.fingerprint).equals(fingerprint)) {
        throw new DomainError(
          'idempotency_key_reused',
          'This Idempotency-Key came with another body before: send a new key for a new wish.',
        );
      }
      if (!taken.fresh) return taken;
      crashPoint('submit.key_taken');
      const { open, now } = await this.requests.openTargets(tx, caller);
      // What was sent is judged before what there is: a bad deadline is the caller's mistake, whatever could be replayed.
      refusePast(wish.deadline, now);
      refuseCallback(wish.callbackUrl, this.config.callbacks);
      const submission = await wish.read(tx);
      this.refuseBeyondLimits(open, submission);
      const { source, replayOf } = wish;
      const { maxAgeMs } = this.config.policy;
      const { scanTaskId } = await this.requests.insert(tx, {
        id: taken.requestId,
        submission,
        submitter: principal,
        source,
        replayOf,
        maxAgeMs,
        promised,
      });
      await this.wantListing(tx, scanTaskId, submission, now);
      crashPoint('submit.stored');
      return taken;
    });
  }

  /** Those that may be asked for a listing now. */
  private listLanes({ projectId, clusters }: Wish): readonly Lane[] {
    const may = clusters === 0 || clusters > LARGE_ABOVE;
    return may ? lanesServing(this.lanes, projectId, 'listTasks') : [];
  }

  /** What is more than one call takes is listed before it leaves; what has all been asked for may go in one call then. */
  private async wantListing(tx: Tx, scanTaskId: bigint, submission: Submission, now: Date): Promise<void> {
    const anew = submission.range === 'all_failed_cluster';
    if (submission.priority === 'urgent' || (!anew && submission.clusterIds.length <= LARGE_ABOVE)) return;
    await this.listings.want(tx, scanTaskId, { now, ...this.config.policy.listing, anew });
  }

  private refuseBeyondLimits(open: number, submission: Submission): void {
    if (open + Math.max(1, submission.clusterIds.length) > this.config.maxOpenTargets) {
      throw new DomainError(
        'too_many_open_targets',
        `At most ${this.config.maxOpenTargets} targets of a caller may be open at once: wait until some have ended.`,
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    }
  }
}

function refusePast(deadline: Date | null, now: Date): void {
  if (deadline && deadline <= now) {
    throw new DomainError('deadline_in_past', 'The deadline has passed already: send a later one, or none.');
  }
}
