import { expect } from '@jest/globals';
import type { StartedCall } from '../../src/calling/call-starter.js';
import type { CallOutcome } from '../../src/domain/call-outcome.js';
import type { RetryPolicy } from '../../src/domain/retry-policy.js';
import type { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { clustersOf } from './calling-world.js';

interface ModelCall {
  readonly taskId: string;
  readonly clusters: readonly string[];
  readonly leaseUntil: number;
  state: string;
  /** Until when its clusters are held at most; null: it holds none any more. */
  watchedUntil: number | null;
  lookupUntil: number | null;
}

/**
 * What should be: calls, their states, and which of them holds which cluster, as one could say it on a page without any SQL. Times are
 * milliseconds that were let pass; what a test needs by itself is too little to count.
 */
export class CallModel {
  private now = 0;
  private readonly calls = new Map<string, ModelCall>();

  constructor(
    private readonly policy: RetryPolicy,
    private readonly timeoutMs: number,
  ) {}

  pass(ms: number): void {
    this.now += ms;
  }

  /** Nobody else may hold what it takes, and a whole task is taken alone. */
  start(call: StartedCall): void {
    const clusters = clustersOf(call);
    const held = this.holding().filter(({ taskId }) => taskId === call.taskId);
    const conflicts = held.filter(
      ({ cluster }) => cluster === '*' || clusters.includes('*') || clusters.includes(cluster),
    );
    expect(conflicts).toEqual([]);
    this.calls.set(call.id, {
      taskId: call.taskId,
      clusters,
      leaseUntil: this.now + this.timeoutMs + this.policy.leaseMarginMs,
      state: 'sending',
      watchedUntil: Number.POSITIVE_INFINITY,
      lookupUntil: null,
    });
  }

  /** An answer, whenever it comes. @returns false where it comes so late that the model cannot say what it is still good for */
  settle(id: string, outcome: CallOutcome): boolean {
    const call = this.call(id);
    if (call.state === 'sending') this.end(call, outcome.kind);
    else if (call.state === 'unknown' && call.watchedUntil !== null && outcome.kind !== 'unknown') {
      this.end(call, outcome.kind);
    } else return !(outcome.kind === 'accepted' && ['not_carried_out', 'partly_accepted'].includes(call.state));
    return true;
  }

  sweep(): void {
    for (const call of this.calls.values()) {
      if (call.state === 'sending' && call.leaseUntil <= this.now) this.end(call, 'unknown');
      if (call.watchedUntil !== null && call.watchedUntil <= this.now) call.watchedUntil = null;
    }
  }

  /** @param taken of its clusters; null: the upstream could not be read */
  lookUp(id: string, taken: readonly string[] | null): void {
    const call = this.call(id);
    if (call.state !== 'unknown' || call.watchedUntil === null) return;
    if (taken !== null) this.resolve(id, taken);
    else if (call.lookupUntil !== null && call.lookupUntil <= this.now) call.watchedUntil = null;
  }

  resolve(id: string, taken: readonly string[]): void {
    const call = this.call(id);
    const kept = call.clusters.filter((cluster) => taken.includes(cluster));
    const all = kept.length === call.clusters.length;
    call.state = all ? 'accepted' : kept.length > 0 ? 'partly_accepted' : 'not_carried_out';
    call.watchedUntil = kept.length > 0 ? this.now + this.policy.verdictTimeoutMs : null;
    this.calls.set(id, { ...call, clusters: kept });
  }

  clustersOf(id: string): readonly string[] {
    return this.call(id).clusters;
  }

  /** Compares it with the tables. */
  async check(prisma: PrismaService): Promise<void> {
    const calls = await prisma.call.findMany({ select: { id: true, state: true } });
    expect(Object.fromEntries(calls.map(({ id, state }) => [id, state]))).toEqual(
      Object.fromEntries([...this.calls].map(([id, { state }]) => [id, state])),
    );
    expect(await held(prisma)).toEqual(this.holding().map(({ taskId, cluster, id }) => `${taskId}/${cluster} ${id}`));
  }

  /** After an answer that came too late: what it took back was free, and its own. */
  async adopt(id: string, clusters: readonly string[], prisma: PrismaService): Promise<void> {
    const before = this.holding().map((one) => `${one.taskId}/${one.cluster}`);
    const call = this.call(id);
    const prefix = `${call.taskId}/`;
    const own = (await held(prisma)).flatMap((line) => (line.endsWith(` ${id}`) ? [line.split(' ')[0] ?? ''] : []));
    const fresh = own.filter((cluster) => !call.clusters.some((known) => cluster === prefix + known));
    expect(fresh.filter((cluster) => !clusters.some((sent) => cluster === prefix + sent))).toEqual([]);
    if (fresh.length === 0) return;
    expect(fresh.filter((cluster) => before.includes(cluster))).toEqual([]);
    const watchedUntil = this.now + this.policy.verdictTimeoutMs;
    const kept = own.map((cluster) => cluster.slice(prefix.length));
    this.calls.set(id, { ...call, clusters: kept, state: 'partly_accepted', watchedUntil });
  }

  private end(call: ModelCall, state: string): void {
    call.state = state;
    const stays = state === 'accepted' || state === 'unknown';
    call.watchedUntil = stays ? this.now + this.policy.verdictTimeoutMs : null;
    const lookupAt = Math.max(call.leaseUntil, this.now) + this.policy.lookup.graceMs;
    call.lookupUntil = state === 'unknown' ? lookupAt + this.policy.lookup.giveUpAfterMs : null;
  }

  private holding(): { taskId: string; cluster: string; id: string }[] {
    return [...this.calls]
      .filter(([, { watchedUntil }]) => watchedUntil !== null)
      .flatMap(([id, { taskId, clusters }]) => clusters.map((cluster) => ({ taskId, cluster, id })))
      .sort((a, b) => (`${a.taskId}/${a.cluster} ${a.id}` < `${b.taskId}/${b.cluster} ${b.id}` ? -1 : 1));
  }

  private call(id: string): ModelCall {
    const call = this.calls.get(id);
    if (!call) throw new Error(`the model knows no call ${id}`);
    return call;
  }
}

async function held(prisma: PrismaService): Promise<string[]> {
  const rows = await prisma.liveCluster.findMany();
  return rows
    .map(({ taskId, clusterId, callId }) => `${taskId}/${clusterId === '' ? '*' : clusterId} ${callId}`)
    .sort((a, b) => (a < b ? -1 : 1));
}
