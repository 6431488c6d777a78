import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Server } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { RawProblems } from '../../../../src/platform/http/raw-problem.js';

const failure = (code: string): Error & { code: string } => Object.assign(new Error('x'), { code });

async function answerTo(
  error: Error & { code: string },
  exchange?: { request: object; response: object },
): Promise<string> {
  const problems = new RawProblems();
  const server = new EventEmitter();
  const socket = new PassThrough();
  problems.watch(server as unknown as Server);
  if (exchange) server.emit('request', { ...exchange.request, socket }, exchange.response);
  problems.onClientError(error, socket);
  return text(socket);
}

describe('an error before there is a request', () => {
  it.each([
    ['HPE_INVALID_METHOD', '400 Bad Request', 'malformed'],
    ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large', 'headers_too_large'],
    ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout', 'request_timeout'],
  ])('%s is answered with %s', async (code, status, publicCode) => {
    const [head = '', body = ''] = (await answerTo(failure(code))).split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status}\r\n`);
    expect(head).toContain('content-type: application/problem+json\r\n');
    expect(head).toContain(`content-length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ code: publicCode });
  });

  it.each([
    ['while its body comes in', { complete: false }, { headersSent: false, writableFinished: false }, true],
    ['after its answer began', { complete: false }, { headersSent: true, writableFinished: false }, false],
    [
      'behind a request that is being answered',
      { complete: true },
      { headersSent: false, writableFinished: false },
      false,
    ],
    ['behind a request that was answered', { complete: true }, { headersSent: true, writableFinished: true }, true],
  ])('is answered, or not, %s', async (_title, request, response, answered) => {
    expect((await answerTo(failure('HPE_INVALID_CHUNK_SIZE'), { request, response })) !== '').toBe(answered);
  });

  it('is not answered when the peer is gone', () => {
    const socket = new PassThrough();
    new RawProblems().onClientError(failure('ECONNRESET'), socket);
    expect([socket.destroyed, socket.readableLength]).toEqual([true, 0]);
  });
});
