import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answers.js';
import type { Handled } from './gateway.js';
import type { Reply } from './ledger.js';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const CHUNK = Buffer.alloc(65_536, 'x');

/** Writes what was decided into the ledger and onto the wire, in this order: a caller never knows more than the ledger. */
export async function deliver(
  handled: Handled,
  request: IncomingMessage,
  response: ServerResponse,
  now: number,
): Promise<void> {
  handled.entry.reply = replyOf(handled, now);
  const { delivery } = handled;
  const common = { Date: new Date(now).toUTCString(), [idHeader(handled)]: handled.requestId };
  switch (delivery.kind) {
    case 'answer': {
      const { status, headers, body } = delivery.answer;
      response.writeHead(status, { ...common, ...headers, 'Content-Length': Buffer.byteLength(body) });
      response.end(body);
      return;
    }
    case 'truncated':
      return truncate(delivery.answer, common, response);
    case 'huge':
      response.writeHead(delivery.status, { ...common, ...JSON_TYPE, 'Content-Length': delivery.bytes });
      return pour(filling(delivery.bytes), response);
    case 'slow':
      response.writeHead(delivery.status, { ...common, ...JSON_TYPE });
      return pour(dripping(delivery.everyMs), response);
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'no_answer':
      return;
    default:
      return delivery satisfies never;
  }
}

function replyOf({ delivery, requestId }: Handled, at: number): Reply {
  switch (delivery.kind) {
    case 'answer':
      return { kind: 'answered', status: delivery.answer.status, code: delivery.answer.code, requestId, at };
    case 'truncated':
      return { kind: 'truncated', status: delivery.answer.status, code: delivery.answer.code, requestId, at };
    case 'huge':
    case 'slow':
      return { kind: 'answered', status: delivery.status, code: null, requestId, at };
    case 'reset':
    case 'no_answer':
      return { kind: delivery.kind, at };
    default:
      return delivery satisfies never;
  }
}

function idHeader({ entry }: Handled): string {
  return entry.operation === 'CreateToken' ? 'X-IAM-Trace-Id' : 'X-Request-Id';
}

/** An answer without a body promises one too, so that its end can be missed. */
function truncate({ status, headers, body }: Answer, common: Record<string, string>, response: ServerResponse): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...common, ...headers, 'Content-Length': Math.max(bytes.length, 64) });
  response.flushHeaders();
  if (bytes.length > 1) response.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
  response.socket?.destroySoon();
}

/** A caller that has had enough and hangs up is no error. */
async function pour(body: Iterable<Buffer> | AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
  await pipeline(Readable.from(body), response).catch(() => undefined);
}

function* filling(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

async function* dripping(everyMs: number): AsyncGenerator<Buffer> {
  for (;;) {
    yield CHUNK.subarray(0, 1);
    await sleep(everyMs);
  }
}
