import { Injectable } from '@nestjs/common';
import { performance } from 'node:perf_hooks';

/** The database's time, and when this process had read it, by `Clock.monotonicMs`. */
export interface DatabaseTime {
  readonly now: Date;
  readonly readAtMs: number;
}

/** Local time-outs only. What is written or compared with what is written comes from the database's clock. */
@Injectable()
export class Clock {
  /** Milliseconds since some moment; never steps back, whatever happens to the host's clock. */
  monotonicMs(): number {
    return performance.now();
  }

  /** Milliseconds from this moment until one of the database's clock; never too few of them. */
  untilMs(at: Date, { now, readAtMs }: DatabaseTime): number {
    return at.getTime() - now.getTime() - (this.monotonicMs() - readAtMs);
  }
}
