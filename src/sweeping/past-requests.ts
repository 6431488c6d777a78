import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { PastRequestLedger } from '../ledger/past-requests.js';
import { Clock } from '../platform/clock.js';

/** Between two looks while there is nothing to move, or it cannot be moved: a minute, and less where the age itself is short. */
const REST_MS = 60_000;
const RESTS_IN_AGE = 60;
/** The other parts of the sweep wait meanwhile. */
const AT_ONCE_MS = 1_000;

/** Moves requests that ended long ago to where they are kept by months, some with each sweep. */
@Injectable()
export class PastRequests {
  private restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly past: PastRequestLedger,
  ) {}

  async move(): Promise<void> {
    const beganMs = this.clock.monotonicMs();
    if (beganMs < this.restsUntilMs) return;
    this.restsUntilMs = beganMs + Math.min(REST_MS, this.config.pastAfterMs / RESTS_IN_AGE);
    while ((await this.past.move(this.config.pastAfterMs)) > 0) {
      if (this.clock.monotonicMs() - beganMs < AT_ONCE_MS) continue;
      this.restsUntilMs = beganMs;
      return;
    }
  }
}
