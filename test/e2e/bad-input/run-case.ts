import { randomUUID } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import type { BadInputCase, KeyName, RawCase, RequestCase } from './bad-input-case.js';
import { expandBody, expandText, fill, type Placeholders } from './expand.js';

export interface CaseTarget {
  /** Such as `http://127.0.0.1:3000`. */
  readonly baseUrl: string;
  readonly keys: Readonly<Record<Exclude<KeyName, 'none'>, string>>;
  /** `goodKey`, `goodKeyCut` and `unknownId` come by themselves. */
  readonly placeholders: Placeholders;
}

export interface CaseAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type CaseRunner = (badInput: BadInputCase) => Promise<CaseAnswer>;

/** A hang is a failure too, and would otherwise only show as the test's own time-out, without a name. */
const PATIENCE_MS = 20_000;

export function caseRunner(target: CaseTarget): CaseRunner {
  const placeholders = {
    goodKey: target.keys.good,
    goodKeyCut: target.keys.good.slice(0, -1),
    unknownId: '0198c0de-0000-7000-8000-00000000abcd',
    ...target.placeholders,
  };
  return (badInput) =>
    'raw' in badInput ? sendRaw(badInput, target.baseUrl, placeholders) : sendRequest(badInput, target, placeholders);
}

async function sendRequest(
  badInput: RequestCase,
  { baseUrl, keys }: CaseTarget,
  placeholders: Placeholders,
): Promise<CaseAnswer> {
  const body = badInput.body && expandBody(badInput.body, placeholders);
  const { hostname, port } = new URL(baseUrl);
  const outgoing = httpRequest({
    hostname,
    port,
    method: badInput.method,
    path: expandText(badInput.path, placeholders).toString(),
    agent: false,
    timeout: PATIENCE_MS,
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to: ${badInput.name}`)));
  for (const [name, value] of Object.entries(headersOf(badInput, keys, placeholders))) outgoing.setHeader(name, value);
  if (body !== undefined && badInput.body?.chunked !== true) outgoing.setHeader('content-length', body.length);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
  });
  // A first write, and not all at once in `end`, makes Node send chunks where no length is set.
  if (body !== undefined) outgoing.write(body);
  outgoing.end();
  const response = await answered;
  return { status: response.statusCode ?? 0, headers: flat(response.headers), body: await readText(response) };
}

function headersOf(
  { auth = 'good', body, headers = {} }: RequestCase,
  keys: CaseTarget['keys'],
  placeholders: Placeholders,
): Record<string, string | string[]> {
  const defaults: RequestCase['headers'] = {
    ...(auth !== 'none' && { authorization: `Bearer ${keys[auth]}` }),
    ...(body !== undefined && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
  };
  const sent = Object.entries({ ...defaults, ...headers }).flatMap(([name, value]) => {
    if (value === null) return [];
    const text = isList(value)
      ? value.map((each) => fill(each, placeholders))
      : expandText(value, placeholders).toString();
    return [[name, text] as const];
  });
  return Object.fromEntries(sent);
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

function flat(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The server must answer and then close: whatever comes after such bytes cannot be trusted. */
async function sendRaw(badInput: RawCase, baseUrl: string, placeholders: Placeholders): Promise<CaseAnswer> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer to: ${badInput.name}`)));
  socket.write(expandText({ parts: badInput.raw }, placeholders));
  let received = '';
  socket.setEncoding('latin1');
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (isWhole(received)) resolve();
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
  socket.destroy();
  return parseAnswer(received);
}

function isWhole(received: string): boolean {
  const { headers, body } = parseAnswer(received);
  return headers['content-length'] !== undefined && body.length >= Number(headers['content-length']);
}

function parseAnswer(received: string): CaseAnswer {
  const [head = '', ...body] = received.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  return {
    status: Number(statusLine.split(' ')[1] ?? 0),
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: Buffer.from(body.join('\r\n\r\n'), 'latin1').toString('utf8'),
  };
}
