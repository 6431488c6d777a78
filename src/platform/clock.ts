import { Injectable } from '@nestjs/common';
import { performance } from 'node:perf_hooks';

/** Local time-outs only. What is written or compared with what is written comes from the database's clock. */
@Injectable()
export class Clock {
  /** Milliseconds since some moment; never steps back, whatever happens to the host's clock. */
  monotonicMs(): number {
    return performance.now();
  }
}
