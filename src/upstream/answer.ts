/** Why a body was not read to its end: too long for us, or the connection or the time ended. */
export type BodyCut = 'too_long' | 'reset' | 'timeout';

export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: AnswerHeaders;
  /** As much as was read. */
  readonly body: string;
  readonly cut: BodyCut | null;
}

/** No status line was read. `started` is the client's proof of sending. */
export interface Failure {
  readonly started: boolean;
  readonly timedOut: boolean;
  /** Node's or undici's own; the error's name, where it has none. */
  readonly code: string | null;
  readonly message: string;
}

export function headerOf(headers: AnswerHeaders, name: string): string | null {
  const value = headers[name];
  return (typeof value === 'string' ? value : value?.[0]) ?? null;
}
