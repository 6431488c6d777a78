import { errorCodeOf, type AnswerBody } from './answer-body.js';
import type { Answer } from './answer.js';
import { classifyAnswer, evidenceOf, MAX_ERROR_TEXT, type ClassifyContext } from './classify.js';
import { SHORT_BODY_BYTES } from './exchange.js';
import { parseJsonObject, type JsonObject } from './json.js';
import { countOf, readClusterScan, readTaskSummary, type RowReader } from './list-rows.js';
import { safeTexts } from './safe-text.js';
import type { ClusterScan, ListOutcome, ListPage, ListQuery, TaskSummary } from './scan-tasks.js';

/** What tells one list from another: the name of its array, and its rows. */
export interface ListKind<T> {
  readonly array: string;
  readonly readRow: RowReader<T>;
}

export const clusterScans: ListKind<ClusterScan> = { array: 'cluster_scan_data_list', readRow: readClusterScan };
export const taskSummaries: ListKind<TaskSummary> = { array: 'data_list', readRow: readTaskSummary };

const saysNothing: AnswerBody = { code: null, text: '', requestId: null };

/**
 * The answer to a list call. An empty list means that clusters are gone, so only a list that is surely one is read: whatever else came
 * with a 2xx is `unknown`, for its cut or as a contradiction. All other answers mean what they mean for any call.
 */
export function readList<T>(
  answer: Answer,
  context: ClassifyContext,
  query: Pick<ListQuery, 'offset' | 'limit'>,
  kind: ListKind<T>,
): ListOutcome<T> {
  const json = isWholeResult(answer) ? parseJsonObject(answer.body) : null;
  const page = json && errorCodeOf(json) === null ? pageOf(json, query, kind, context.secrets) : null;
  if (page) return { kind: 'read', page, evidence: evidenceOf(answer, saysNothing, context.secrets) };
  // As evidence, the head of a page is enough: cleaning megabytes would hold up everything else.
  const outcome = classifyAnswer({ ...answer, body: answer.body.slice(0, SHORT_BODY_BYTES) }, context);
  if (outcome.kind !== 'accepted') return outcome;
  return { kind: 'unknown', cause: 'contradiction', evidence: outcome.evidence };
}

function isWholeResult({ status, cut }: Answer): boolean {
  return status >= 200 && status < 300 && cut === null;
}

/** Null for a page that contradicts itself. */
function pageOf<T>(
  json: JsonObject,
  { offset, limit }: Pick<ListQuery, 'offset' | 'limit'>,
  { array, readRow }: ListKind<T>,
  secrets: readonly string[],
): ListPage<T> | null {
  const total = countOf(json['total_num']);
  // Some servers leave an empty list out, or write it as null; only where they also say "none" is it one.
  const raw: unknown = json[array] ?? (total === 0 ? [] : null);
  if (!Array.isArray(raw)) return null;
  const safeText = safeTexts(secrets, MAX_ERROR_TEXT);
  const rows = raw.flatMap((row) => readRow(row, safeText) ?? []);
  const seen = offset + raw.length;
  // Rows of which not one can be read, or none where there must be some.
  if (rows.length === 0 && (raw.length > 0 || (total !== null && total > seen))) return null;
  // A page may be shorter than asked for and yet not be the last, where the upstream has a bound of its own.
  const hasMore = total === null ? raw.length >= limit : total > seen;
  return { rows, rowsSeen: raw.length, total, nextOffset: hasMore ? seen : null };
}
