const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A Ctrl-C comes twice: from the terminal, and from npm, which passes it on. Nobody presses that fast. */
const ECHO_MS = 500;

/** Resolves with the first signal that asks us to stop. A second one, later, ends the process there and then. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        resolve(signal);
      } else if (performance.now() - firstAt > ECHO_MS) {
        process.exit(1);
      }
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}
