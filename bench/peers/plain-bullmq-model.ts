import {
  CALLS_A_WINDOW,
  CLUSTERS_A_CALL,
  WINDOW_MS,
  type BusyHour,
  type WantedRequest,
} from '../busy-hour/busy-hour.js';
import { Events } from '../busy-hour/events.js';
import { Tally, type Measured } from '../busy-hour/tally.js';
import { UpstreamModel } from '../busy-hour/upstream-model.js';

const ATTEMPTS = 5;
const BACKOFF_MS = 15_000;

interface Chunk {
  readonly request: WantedRequest;
  readonly clusters: readonly number[];
  readonly attempt: number;
}

/**
 * What most would write: a request is cut into chunks of 200, each is a job, the queue's limiter lets as many start in a window as the
 * budget has, and a job that fails is tried again after an exponential backoff. A lost answer is a failure like any other.
 */
export class PlainBullMqModel {
  private readonly events = new Events();
  private readonly upstream: UpstreamModel;
  private readonly tally: Tally;
  private readonly jobs: Chunk[] = [];
  private windowFrom = -Infinity;
  private started = 0;

  constructor(private readonly hour: BusyHour) {
    this.upstream = new UpstreamModel(hour, this.events);
    this.tally = new Tally(hour);
  }

  run(): Measured {
    for (const request of this.hour.requests) {
      this.events.at(request.at, () => {
        for (let from = request.from; from < request.to; from += CLUSTERS_A_CALL) {
          const to = Math.min(request.to, from + CLUSTERS_A_CALL);
          this.jobs.push({ request, clusters: Array.from({ length: to - from }, (_, n) => from + n), attempt: 1 });
        }
        this.work();
      });
    }
    this.events.run();
    return this.tally.measured(this.upstream);
  }

  private work(): void {
    const { now } = this.events;
    if (now >= this.windowFrom + WINDOW_MS) [this.windowFrom, this.started] = [now, 0];
    while (this.started < CALLS_A_WINDOW) {
      const job = this.jobs.shift();
      if (!job) return;
      this.started += 1;
      this.send(job);
    }
    this.events.at(this.windowFrom + WINDOW_MS, () => this.work());
  }

  private send(job: Chunk): void {
    const { request, clusters, attempt } = job;
    this.upstream.send(request.task, clusters, ({ kind }) => {
      if (kind === 'accepted' || attempt === ATTEMPTS) this.tally.over(request, clusters.length, this.events.now);
      else {
        const waitMs = BACKOFF_MS * 2 ** (attempt - 1);
        this.events.at(this.events.now + waitMs, () => {
          this.jobs.push({ ...job, attempt: attempt + 1 });
          this.work();
        });
      }
    });
  }
}
