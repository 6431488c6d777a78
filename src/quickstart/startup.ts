/**
 * Parts that were started, so that they can be stopped in reverse order: also those that are still starting, since
 * Ctrl-C comes at any time.
 */
export class Startup {
  readonly #stopping = new AbortController();
  readonly #closers: (() => Promise<void>)[] = [];

  /** Aborted when everything is to stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Rejects at once when a stop comes in between; the part is then closed as soon as it has come up. */
  async add<T>(start: () => Promise<T>, close: (part: T) => Promise<void>): Promise<T> {
    this.signal.throwIfAborted();
    const starting = start();
    this.#closers.push(async () => {
      const part = await starting.then(
        (value) => ({ value }),
        () => null, // It never came up: whoever waited for it was told.
      );
      if (part !== null) await close(part.value);
    });
    return this.unlessStopped(starting);
  }

  /** The result of work that leaves nothing to close. */
  async unlessStopped<T>(work: Promise<T>): Promise<T> {
    let giveUp: () => void = () => undefined;
    const stopped = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(this.signal.reason as Error);
    });
    this.signal.addEventListener('abort', giveUp, { once: true });
    try {
      this.signal.throwIfAborted();
      return await Promise.race([work, stopped]);
    } finally {
      this.signal.removeEventListener('abort', giveUp);
    }
  }

  /** Closes every part, whatever the others do; throws the first failure afterwards. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      await close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
