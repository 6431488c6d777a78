/** The part of a pino logger that this folder uses. */
export interface HttpLog {
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
