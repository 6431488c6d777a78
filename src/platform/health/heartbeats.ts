import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';

/** Signs of life of loops that nobody calls. */
@Injectable()
export class Heartbeats {
  private readonly beats = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  beat(name: string): void {
    this.beats.set(name, this.clock.monotonicMs());
  }

  isAlive(name: string, withinMs: number): boolean {
    const at = this.beats.get(name);
    return at !== undefined && this.clock.monotonicMs() - at <= withinMs;
  }
}
