import { Inject, Injectable, Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { CallbackLedger } from '../ledger/callbacks.js';
import { CallbackBells } from '../platform/queues/callback-bells.js';
import { Deliverer } from './deliverer.js';

/** The sweep's part: rings for what is due, and looks itself while the queue is away. */
@Injectable()
export class DueCallbacks {
  private readonly logger = new Logger(DueCallbacks.name);
  private warned = false;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly callbacks: CallbackLedger,
    private readonly bells: CallbackBells,
    private readonly deliverer: Deliverer,
  ) {}

  async ring(): Promise<void> {
    if (!(await this.callbacks.anyDue())) return;
    if (this.config.callbacks.secrets.length === 0) this.warnOnce();
    else if (!(await this.bells.ring())) await this.deliverer.look();
  }

  /** Another worker may have them. */
  private warnOnce(): void {
    if (this.warned) return;
    this.warned = true;
    this.logger.warn('callbacks are due, and this process cannot sign them: it has no CALLBACK_SECRETS');
  }
}
