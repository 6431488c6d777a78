/** Does something again and again, each time a while after it has ended, whatever came of it. */
export class TimerLoop {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  /** @param failed is told what `work` threw */
  constructor(
    private readonly everyMs: number,
    private readonly work: () => Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {}

  get isStopped(): boolean {
    return this.stopped;
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.running = this.work()
        .catch(this.failed)
        .finally(() => {
          if (!this.stopped) this.start();
        });
    }, this.everyMs);
  }

  /** Waits for the end of what is under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }
}
