import { debuglog } from 'node:util';

const debug = debuglog('rescan');

/** Something the person at the keyboard can mend: its message is one line that says what to do, and it is printed without a stack. */
export class StartupProblem extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartupProblem';
  }
}

/** One line for any error. `NODE_DEBUG=rescan` adds the stack. */
export function problemLine(error: unknown): string {
  debug('%O', error);
  const message = error instanceof Error ? error.message : String(error);
  return `rescan: ${message.split('\n').filter(Boolean).join('; ')}`;
}
