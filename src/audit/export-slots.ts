import { Injectable } from '@nestjs/common';
import { DomainError } from '../domain/domain-error.js';

/** At the same time in one process: each may take a connection for as long as a page is read, of 10 by default. */
const MAX_EXPORTS = 4;
const MAX_EXPORTS_OF_CALLER = 2;
const RETRY_SECONDS = 30;

@Injectable()
export class ExportSlots {
  private readonly callers: string[] = [];

  /** @returns gives the slot back. @throws DomainError `too_many_exports` */
  take(caller: string): () => void {
    const own = this.callers.filter((one) => one === caller).length;
    if (own >= MAX_EXPORTS_OF_CALLER || this.callers.length >= MAX_EXPORTS) {
      throw new DomainError(
        'too_many_exports',
        'Too many exports are running: read one to its end, or try again later.',
        {
          retryAfterSeconds: RETRY_SECONDS,
        },
      );
    }
    this.callers.push(caller);
    return () => this.callers.splice(this.callers.indexOf(caller), 1);
  }
}
