import { readFileSync } from 'node:fs';

/** Whose key a case is sent with. `good` has every scope and every project; it is taken where a case names none. */
export type KeyName =
  | 'good'
  /** No Authorization header at all. */
  | 'none'
  /** A well-formed key that was never given out. */
  | 'unknown'
  /** `requests:read` only. */
  | 'readonly'
  /** `schedules:write` only. */
  | 'schedules'
  /** `requests:read` and `requests:write` for one project, which is not that of the `foreign...` ids. */
  | 'oneproject'
  /** As much as a caller may do, without `ops`, and not the caller of `{{requestId}}`. */
  | 'othercaller';

/** A text, with `{{placeholders}}`, or parts put together: `counted` writes its text n times with its `#` as the number. */
export type Text = string | { readonly parts: readonly Part[] } | Part;
export type Part =
  | string
  | { readonly repeat: readonly [string, number] }
  | { readonly counted: readonly [string, number] }
  | { readonly base64: string };

export type CaseBody = (
  | { readonly submit: Readonly<Record<string, unknown>>; readonly without?: readonly string[] }
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly parts: readonly Part[] }
) & { readonly chunked?: boolean };

interface Expected {
  readonly name: string;
  readonly group: string;
  readonly status: number | readonly number[];
  readonly code?: string | readonly string[];
}

export interface RequestCase extends Expected {
  readonly method: string;
  readonly path: Text;
  readonly auth?: KeyName;
  /** Null takes a header away that the runner adds; a list sends it several times. */
  readonly headers?: Readonly<Record<string, Text | readonly string[] | null>>;
  readonly body?: CaseBody;
}

/** Bytes for a bare socket, for what no HTTP client would send. */
export interface RawCase extends Expected {
  readonly raw: readonly Part[];
}

export type BadInputCase = RequestCase | RawCase;

/** The good submission that `submit` bodies change. */
export const SUBMISSION = { projectId: '{{projectId}}', taskId: '{{taskId}}', range: 'all_failed_cluster' };

/** One case a line, so that a change of one is a change of one line. */
export function readCases(): BadInputCase[] {
  const lines = readFileSync(new URL('./cases.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as BadInputCase);
}
