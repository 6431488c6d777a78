import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EventLedger, type RefusedAccessCount } from '../ledger/events.js';
import { Refused } from './refused.js';
import type { Authenticated } from './route-access.js';

const FLUSH_MS = 60_000;
/** Far more than an attack of one key on every route makes. */
const MAX_KINDS = 1_000;
/** What comes beyond that is counted together. */
const OVERFLOW = { caller: 'nobody', keyId: null, method: '*', route: '*', reason: 'too_many_kinds' } as const;

type Kind = Pick<RefusedAccessCount, 'caller' | 'keyId' | 'method' | 'route' | 'reason'>;
type Counted = Kind & { count: number; readonly since: Date };

/**
 * Refused accesses, counted by key, route and reason, and recorded as one event a minute for each: whoever floods the service fills
 * neither the record nor memory. A process that is killed takes its last minute with it.
 */
@Injectable()
export class RefusedAccess implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RefusedAccess.name);
  private counts = new Map<string, Counted>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly events: EventLedger) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  /** Errors that refuse no access are none of its business. The pattern of the route, never the URL: that may hold anything. */
  note(error: unknown, { principal, method, routeOptions }: Authenticated): void {
    if (!(error instanceof Refused)) return;
    const { caller, keyId } = error.by ?? principal ?? { caller: 'nobody', keyId: null };
    this.add({ caller, keyId, method, route: routeOptions.url ?? '*', reason: error.reason }, 1, new Date());
  }

  /** What cannot be written now is written with what the next minute brings. */
  async flush(): Promise<void> {
    const counted = [...this.counts.values()];
    if (counted.length === 0) return;
    this.counts = new Map();
    try {
      await this.events.recordRefused(counted);
    } catch (error) {
      for (const { count, since, ...kind } of counted) this.add(kind, count, since);
      this.logger.warn(`refused accesses could not be recorded yet: ${String(error)}`);
    }
  }

  private add(kind: Kind, count: number, since: Date): void {
    const { caller, keyId, method, route, reason } = kind;
    const name = JSON.stringify([caller, keyId, method, route, reason]);
    const known = this.counts.get(name);
    if (known) known.count += count;
    else if (this.counts.size < MAX_KINDS || kind === OVERFLOW) this.counts.set(name, { ...kind, count, since });
    else this.add(OVERFLOW, count, since);
  }
}
