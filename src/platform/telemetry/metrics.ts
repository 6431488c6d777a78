import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CallOutcome } from '../../domain/call-outcome.js';

/** What Prometheus sees of one process. No project and no cluster is ever a label. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  private readonly submitted = new Counter({
    name: 'rescan_requests_submitted_total',
    help: 'Requests accepted (202), replayed keys not counted',
    labelNames: ['source'] as const,
    registers: [this.registry],
  });
  private readonly finished = new Counter({
    name: 'rescan_requests_ended_total',
    help: 'Requests whose last target got its result',
    registers: [this.registry],
  });
  private readonly calls = new Counter({
    name: 'rescan_calls_total',
    help: 'RetryTask calls by what they came to',
    labelNames: ['lane', 'state', 'error_code'] as const,
    registers: [this.registry],
  });
  private readonly callSeconds = new Histogram({
    name: 'rescan_call_duration_seconds',
    help: 'From the first byte of a call to the end of its answer',
    labelNames: ['lane', 'state'] as const,
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });
  private readonly listCalls = new Counter({
    name: 'rescan_list_calls_total',
    help: 'Calls of ListTasks and ListTaskResources by what they were for and what they came to',
    labelNames: ['purpose', 'state'] as const,
    registers: [this.registry],
  });
  private readonly verdicts = new Counter({
    name: 'rescan_verdicts_total',
    help: 'Clusters of accepted calls whose scan has come to its end',
    registers: [this.registry],
  });
  private readonly phantoms = new Counter({
    name: 'rescan_phantom_calls_total',
    help: 'Calls that HSS accepted and that never showed any effect',
    registers: [this.registry],
  });
  private readonly callbacks = new Counter({
    name: 'rescan_callback_tries_total',
    help: 'Tries to tell the end of a request, by what they came to; late: another try counts',
    labelNames: ['outcome', 'error_code'] as const,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  requestSubmitted(source: string): void {
    this.submitted.inc({ source });
  }

  requestsEnded(n: number): void {
    if (n > 0) this.finished.inc(n);
  }

  callEnded(lane: string, { kind, evidence }: CallOutcome, durationMs: number | null): void {
    this.calls.inc({ lane, state: kind, error_code: evidence.errorCode ?? '' });
    if (durationMs !== null) this.callSeconds.observe({ lane, state: kind }, durationMs / 1_000);
  }

  listCallEnded(purpose: string, state: string): void {
    this.listCalls.inc({ purpose, state });
  }

  verdictsRead(n: number): void {
    this.verdicts.inc(n);
  }

  phantomFound(): void {
    this.phantoms.inc();
  }

  callbackTried(outcome: string, errorCode: string | null): void {
    this.callbacks.inc({ outcome, error_code: errorCode ?? '' });
  }

  /** A gauge that is read anew at each scrape. */
  gauge(name: string, help: string, labelNames: readonly string[], collect: (gauge: Gauge) => Promise<void>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect(): Promise<void> {
        return collect(this);
      },
    });
  }
}
