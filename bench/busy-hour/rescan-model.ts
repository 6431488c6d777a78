import { charged, inOrder, nextTasks, ripeAt, type Head, type Share } from '../../src/domain/choose.js';
import { splitRejected } from '../../src/domain/split.js';
import { Random } from '../../test/support/random.js';
import {
  CALLS_A_WINDOW,
  CLUSTERS_A_CALL,
  WINDOW_MS,
  type BusyHour,
  type WantedRequest,
  type WantedTask,
} from './busy-hour.js';
import { Events } from './events.js';
import { ListingModel } from './listing-model.js';
import {
  aRequest,
  FREE,
  hasWaiting,
  HELD,
  OVER,
  toHead,
  WAITING,
  type RequestState,
  type TaskState,
} from './model-state.js';
import type { Rule } from './rules.js';
import { Tally, type Measured } from './tally.js';
import { UpstreamModel, type ModelOutcome } from './upstream-model.js';

const LOOKUP_MS = 45_000 - 30_000 + 90_000;
const BACKOFF_MS = 15_000;

/** The service in virtual time: its choosing, over a model of the lane. */
export class RescanModel {
  private readonly events = new Events();
  private readonly upstream: UpstreamModel;
  private readonly listings: ListingModel;
  private readonly tally: Tally;
  private readonly random: Random;
  private readonly tasks = new Map<WantedTask, TaskState>();
  private readonly waiting = new Set<RequestState>();
  private readonly shares = new Map<string, Share>();
  private virtualTime = 0;
  /** The next look that is on its way for what is not ripe yet. */
  private wakeAt = Infinity;
  private readonly slots: number[] = Array.from({ length: CALLS_A_WINDOW }, () => 0);
  private pausedUntil = 0;

  constructor(
    private readonly hour: BusyHour,
    private readonly rule: Rule,
  ) {
    this.upstream = new UpstreamModel(hour, this.events);
    this.listings = new ListingModel(this.events, () => this.look());
    this.tally = new Tally(hour);
    this.random = new Random(hour.seed + 1);
    for (const task of hour.tasks) {
      const clusters = new Uint8Array(task.failed);
      this.tasks.set(task, {
        task,
        clusters,
        requests: [],
        waiting: 0,
        free: task.failed,
        live: 0,
        calledAt: -Infinity,
      });
    }
  }

  run(): Measured {
    for (const request of this.hour.requests) this.events.at(request.at, () => this.submit(request));
    this.events.run();
    return this.tally.measured(this.upstream);
  }

  private submit(wanted: WantedRequest): void {
    const task = this.stateOf(wanted.task);
    const request = aRequest(wanted, task, this.events.now);
    task.requests.push(request);
    let over = 0;
    for (let cluster = wanted.from; cluster < wanted.to; cluster += 1) {
      const state = task.clusters[cluster];
      if (state === OVER) over += 1;
      if (state !== FREE) continue;
      task.clusters[cluster] = WAITING;
      task.waiting += 1;
      task.free -= 1;
    }
    this.tally.over(wanted, over, this.events.now);
    this.waiting.add(request);
    if (isLarge(wanted) && this.rule.wholeSets === 'listed') this.listings.want(task);
    this.look();
  }

  private look(): void {
    const { now } = this.events;
    while (this.pausedUntil <= now) {
      const slot = this.slots.findIndex((freeAt) => freeAt <= now);
      if (slot < 0) return;
      const opened = this.choose(now);
      if (!opened) return;
      this.start(opened, slot);
    }
  }

  /** The request for which the next call is opened; null where none is ripe. */
  private choose(now: number): RequestState | null {
    const free = this.slots.filter((freeAt) => freeAt <= now).length;
    const byHead = this.heads(now);
    const queue = { heads: [...byHead.keys()], shares: this.shares, virtualTime: this.virtualTime, now: new Date(now) };
    const next = new Set(this.rule.order === 'by age' ? [] : nextTasks(queue));
    const full = [...byHead].filter(
      ([head]) => next.has(head.scanTaskId) && this.fullness(byHead, head) >= CLUSTERS_A_CALL,
    );
    const ordered = inOrder(queue, new Set(full.map(([head]) => head.scanTaskId)));
    if (this.rule.order === 'full first') {
      const full = (head: Head): number => Number(this.fullness(byHead, head) < CLUSTERS_A_CALL);
      ordered.sort((a, b) => a.priority - b.priority || full(a) - full(b));
    }
    if (this.rule.order === 'fullest') ordered.sort((a, b) => this.fullness(byHead, b) - this.fullness(byHead, a));
    let nextRipeAt = Infinity;
    for (const head of ordered) {
      const request = byHead.get(head);
      const isFull = this.fullness(byHead, head) >= CLUSTERS_A_CALL;
      const lingerMs = isFull ? 0 : this.rule.lingerMs(free);
      const at = ripeAt(head, lingerMs).getTime();
      if (!request || at > now) {
        nextRipeAt = Math.min(nextRipeAt, at);
        continue;
      }
      if (
        this.rule.wholeSets === 'listed' &&
        isLarge(request.wanted) &&
        !request.part &&
        !this.listings.isExact(request.task)
      ) {
        if (this.listings.want(request.task)) continue;
      }
      const { share, virtualTime } = charged(queue, head);
      this.shares.set(head.caller, share);
      this.virtualTime = virtualTime;
      return request;
    }
    if (nextRipeAt < this.wakeAt || this.wakeAt <= now) {
      this.wakeAt = nextRipeAt;
      if (nextRipeAt < Infinity) this.events.at(nextRipeAt, () => this.look());
    }
    return null;
  }

  private fullness(byHead: ReadonlyMap<Head, RequestState>, head: Head): number {
    const request = byHead.get(head);
    return request?.part ? CLUSTERS_A_CALL : Math.min(CLUSTERS_A_CALL, request?.task.waiting ?? 0);
  }

  /** The first of each caller and priority. */
  private heads(now: number): Map<Head, RequestState> {
    const first: [Map<string, RequestState>, Map<string, RequestState>] = [new Map(), new Map()];
    for (const request of this.waiting) {
      if (!hasWaiting(request)) this.waiting.delete(request);
      else if (request.dueAt <= now && !this.isHeld(request)) {
        const { caller, priority } = request.wanted;
        const other = first[priority].get(caller);
        if (!other || request.dueAt < other.dueAt) first[priority].set(caller, request);
      }
    }
    return new Map(first.flatMap((group) => [...group.values()].map((request) => [request.head, request] as const)));
  }

  private start(opened: RequestState, slot: number): void {
    const { task } = opened;
    const clusters = opened.part ?? this.fill(opened);
    if (opened.part) this.waiting.delete(opened);
    this.slots[slot] = Infinity;
    task.live += 1;
    this.upstream.send(task.task, clusters, (outcome) => {
      this.slots[slot] = this.events.now + WINDOW_MS;
      this.events.at(this.events.now + WINDOW_MS, () => this.look());
      this.settle(task, opened, clusters, outcome);
      this.look();
    });
  }

  /** The clusters of whom it was opened for, then those of all others who wait for the task. */
  private fill(opened: RequestState): number[] {
    const { task } = opened;
    const isWhole = this.isWhole(task);
    const room = isWhole ? Infinity : CLUSTERS_A_CALL;
    const taken: number[] = [];
    const others = task.requests.filter((request) => request !== opened && request.dueAt <= this.events.now);
    for (const request of [opened, ...others]) {
      for (; request.next < request.wanted.to && taken.length < room; request.next += 1) {
        if (task.clusters[request.next] !== WAITING) continue;
        task.clusters[request.next] = HELD;
        taken.push(request.next);
      }
    }
    task.waiting -= taken.length;
    return taken;
  }

  private isHeld({ task, wanted, part }: RequestState): boolean {
    return this.rule.wholeSets === 'listed' && part === null && this.listings.isHeld(task, wanted);
  }

  private isWhole(task: TaskState): boolean {
    if (this.rule.wholeSets === 'listed') return this.listings.isExact(task);
    return this.rule.wholeSets === 'known' && task.free === 0 && task.live === 0;
  }

  private settle(task: TaskState, opened: RequestState, clusters: readonly number[], outcome: ModelOutcome): void {
    const { now } = this.events;
    if (outcome.kind === 'lost') {
      this.events.at(now + LOOKUP_MS, () => {
        task.live -= 1;
        if (outcome.taken) this.end(task, clusters);
        else this.wait(task, opened, clusters, BACKOFF_MS);
        this.look();
      });
      return;
    }
    task.live -= 1;
    if (outcome.kind === 'accepted') this.end(task, clusters);
    else if (outcome.kind === 'throttled') {
      this.pausedUntil = Math.max(this.pausedUntil, now + WINDOW_MS * (1 + this.random.next() * 0.1));
      this.events.at(this.pausedUntil, () => this.look());
      this.wait(task, opened, clusters, 0);
    } else if (clusters.length === 1) this.end(task, clusters);
    else {
      for (const part of splitRejected(clusters.map(toCandidate))) {
        const numbers = part.map(({ cluster }) => cluster);
        this.waiting.add(aRequest(opened.wanted, task, now, numbers));
      }
    }
  }

  private wait(task: TaskState, opened: RequestState, clusters: readonly number[], waitMs: number): void {
    const dueAt = this.events.now + waitMs;
    if (opened.part) this.waiting.add(aRequest(opened.wanted, task, dueAt, opened.part));
    else {
      for (const cluster of clusters) task.clusters[cluster] = WAITING;
      task.waiting += clusters.length;
      for (const request of task.requests) {
        request.next = request.wanted.from;
        if (request.dueAt < dueAt) [request.dueAt, request.head] = [dueAt, toHead(request.wanted, dueAt)];
        this.waiting.add(request);
      }
    }
    this.events.at(dueAt, () => this.look());
  }

  private end(task: TaskState, clusters: readonly number[]): void {
    task.calledAt = this.events.now;
    for (const cluster of clusters) task.clusters[cluster] = OVER;
    for (const { wanted } of task.requests) {
      let over = 0;
      for (const cluster of clusters) if (cluster >= wanted.from && cluster < wanted.to) over += 1;
      this.tally.over(wanted, over, this.events.now);
    }
  }

  private stateOf(task: WantedTask): TaskState {
    const state = this.tasks.get(task);
    if (!state) throw new Error(`no task ${task.id}`);
    return state;
  }
}

/** More than one call takes: a listing may save calls. */
const isLarge = ({ priority, from, to }: WantedRequest): boolean => priority > 0 && to - from > CLUSTERS_A_CALL;

/** No cluster of the hour is known from before, and all ids are alike: only halves are left. */
const toCandidate = (cluster: number) => ({ cluster, clusterId: 'c', rejectedBefore: false, acceptedBefore: false });
