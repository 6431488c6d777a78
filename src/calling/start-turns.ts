import { Injectable } from '@nestjs/common';

/**
 * Lets one start of a lane be under way in this process at a time. A second one would hold a connection only to wait for the lane's
 * lock: thirty bells for one lane could leave none for anything else.
 */
@Injectable()
export class StartTurns {
  /** Lanes that are just being started, and whether somebody else wanted to meanwhile. */
  private readonly wantedAgain = new Map<string, boolean>();

  /**
   * Starts once, and once more where somebody else wanted to meanwhile: what his bell spoke of may have come after our look.
   * @returns null where somebody is at it, who now looks once more
   */
  async take<T extends { readonly kind: 'started' | 'nothing' }>(
    laneId: string,
    start: () => Promise<T>,
  ): Promise<T | null> {
    if (this.wantedAgain.has(laneId)) {
      this.wantedAgain.set(laneId, true);
      return null;
    }
    try {
      for (;;) {
        this.wantedAgain.set(laneId, false);
        const turn = await start();
        if (turn.kind === 'started' || !this.wantedAgain.get(laneId)) return turn;
      }
    } finally {
      this.wantedAgain.delete(laneId);
    }
  }
}
