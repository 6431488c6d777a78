import type { LoggerService } from '@nestjs/common';
import { pino, type Logger as Pino } from 'pino';
import type { HttpLog } from '../http/http-log.js';
import { processName } from '../process-name.js';

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

const MAX_CAUSES = 3;

/**
 * What an error says, and nothing that hangs on it: a lost Postgres connection carries its whole client, keys included.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (typeof error !== 'object' || error === null) return String(error);
  const { name, message, code, stack, cause } = error as Partial<Record<string, unknown>>;
  const because = cause !== undefined && depth < MAX_CAUSES ? { cause: describeError(cause, depth + 1) } : {};
  return { name, message, code, stack, ...because };
}

/** One line of JSON an event, for Nest and for us. A secret never gets here; what looks like one is taken out all the same. */
export class PinoLogger implements LoggerService, HttpLog {
  readonly #pino: Pino;

  constructor(level: string) {
    this.#pino = pino({
      level,
      base: { service: 'rescan', process: processName },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      redact: ['*.authorization', '*.password', '*.headers'],
    });
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest's loggers end with their context; the HTTP side comes with fields first, as pino has it; errors bring a stack. */
  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    const texts = rest.filter((part): part is string => typeof part === 'string');
    if (typeof message !== 'object' || message === null) {
      const context = texts.at(-1);
      const stack = texts.length > 1 ? texts[0] : undefined;
      this.#pino[level]({ context, stack }, String(message));
      return;
    }
    if (message instanceof Error) this.#pino[level]({ err: message, context: texts.at(-1) });
    else if ('msg' in message) this.#pino[level]({ ...message, context: texts.at(-1) });
    else this.#pino[level](message, texts[0]);
  }
}
