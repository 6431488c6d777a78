import { Injectable, Logger } from '@nestjs/common';
import { CallbackLedger } from '../ledger/callbacks.js';
import { CallbackBells } from '../platform/queues/callback-bells.js';
import { Metrics } from '../platform/telemetry/metrics.js';

/** Whoever ends requests says so here, once that is committed. */
@Injectable()
export class RequestEnds {
  private readonly logger = new Logger(RequestEnds.name);

  constructor(
    private readonly callbacks: CallbackLedger,
    private readonly bells: CallbackBells,
    private readonly metrics: Metrics,
  ) {}

  /** Counts them, and rings for their callbacks. Never fails: the sweep rings for what was not rung for. */
  async tell(requestIds: readonly string[]): Promise<void> {
    if (requestIds.length === 0) return;
    this.metrics.requestsEnded(requestIds.length);
    try {
      if (await this.callbacks.anyToTell(requestIds)) await this.bells.ring();
    } catch (error) {
      this.logger.warn({ msg: 'callbacks wait for the next sweep', err: error });
    }
  }
}
