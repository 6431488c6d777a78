import type { BadInputCase } from './bad-input-case.js';
import type { CaseAnswer } from './run-case.js';

/** An answer to a mistake says what it was, in a few words. */
const MAX_ANSWER_BYTES = 8_000;
const LEAKS = /\bat .+:\d+:\d+\)?|node_modules|SELECT |INSERT |prisma|ECONN|FST_ERR/i;

/** @returns what is wrong with an answer to bad input, in words; an empty list for a good one. */
export function answerFaults(badInput: BadInputCase, answer: CaseAnswer): string[] {
  const faults: string[] = [];
  const check = (good: boolean, fault: string): void => void (good || faults.push(fault));
  check(asList(badInput.status).includes(answer.status), `status ${answer.status}, not ${String(badInput.status)}`);
  check(answer.headers['x-request-id'] !== undefined, 'no x-request-id');
  if ('method' in badInput && badInput.method === 'HEAD') return faults;
  const problem = readProblem(answer);
  check(problem['status'] === answer.status, `no problem document of that status: ${answer.body.slice(0, 200)}`);
  check(
    answer.headers['content-type'] === 'application/problem+json',
    `content type ${answer.headers['content-type']}`,
  );
  check(
    badInput.code === undefined || asList<unknown>(badInput.code).includes(problem['code']),
    `code ${String(problem['code'])}, not ${String(badInput.code)}`,
  );
  for (const field of ['type', 'title', 'detail', 'instance']) {
    check(typeof problem[field] === 'string' && problem[field] !== '', `no ${field}`);
  }
  check(String(problem['instance']).endsWith(answer.headers['x-request-id'] ?? '-'), 'instance is not the request id');
  check(Buffer.byteLength(answer.body) <= MAX_ANSWER_BYTES, `an answer of ${answer.body.length} characters`);
  check(!LEAKS.test(answer.body), `inner matters in the answer: ${LEAKS.exec(answer.body)?.[0] ?? ''}`);
  return faults;
}

function readProblem({ body }: CaseAnswer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function asList<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
