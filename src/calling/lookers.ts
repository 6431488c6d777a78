import { Injectable } from '@nestjs/common';
import type { Lane, Operation } from '../config/lanes.js';

/** Looks at a lane: does what may leave through it now, and leaves a bell for its next useful moment. */
export interface Looker {
  look(lane: Lane): Promise<void>;
  /** From now on nothing is started; what is out still ends. */
  stop(): void;
}

/** Who looks at the lanes of which operation; each room brings its own. */
@Injectable()
export class Lookers {
  private readonly lookers = new Map<Operation, Looker>();
  private readonly running = new Set<Promise<void>>();

  register(operations: readonly Operation[], looker: Looker): void {
    for (const operation of operations) this.lookers.set(operation, looker);
  }

  async look(lane: Lane): Promise<void> {
    const look = this.lookers.get(lane.operation)?.look(lane) ?? Promise.resolve();
    this.running.add(look);
    try {
      await look;
    } finally {
      this.running.delete(look);
    }
  }

  stop(): void {
    for (const looker of this.lookers.values()) looker.stop();
  }

  /** When every look has ended, whoever asked for it. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.running);
  }
}
