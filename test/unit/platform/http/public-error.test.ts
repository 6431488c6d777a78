import { HttpException, NotFoundException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { DomainError, ERROR_CODES } from '../../../../src/domain/domain-error.js';
import { problemHeaders, STATUS, toProblem } from '../../../../src/platform/http/problem.js';
import { toPublicError } from '../../../../src/platform/http/public-error.js';

/** As Prisma 7.10, its driver adapter and pg 8 were seen to throw them. */
const withFields = (message: string, fields: object): Error => Object.assign(new Error(message), fields);
const unreachable = withFields('DatabaseNotReachable', { cause: { kind: 'DatabaseNotReachable', host: '127.0.0.1' } });

describe('the public face of an error', () => {
  it.each<[string, unknown]>([
    ['a failed Prisma query', withFields('secret', { code: 'P1001', meta: { driverAdapterError: unreachable } })],
    ['a failed raw query', withFields('secret', { code: 'P2010', meta: { driverAdapterError: unreachable } })],
    ['no free connection', withFields('secret', { code: 'P2028' })],
    ['a connection that was refused', withFields('connect ECONNREFUSED 10.0.0.1:5432', { code: 'ECONNREFUSED' })],
    ['a connection that broke', new Error('Connection terminated unexpectedly')],
    ['a connection that never came about', new Error('Connection terminated due to connection timeout')],
    ['a full pool', new Error('timeout exceeded when trying to connect')],
    ['a server that stops', withFields('x', { cause: { kind: 'postgres', code: '57P01', originalCode: '57P01' } })],
    ['too many connections', withFields('x', { code: '53300' })],
    ['any of these as a cause', new Error('outer', { cause: new Error('middle', { cause: unreachable }) })],
  ])('is "database_unavailable" for %s', (_title, error) => {
    expect(toPublicError(error)).toMatchObject({ code: 'database_unavailable', retryAfterSeconds: 5 });
  });

  it.each<[string, unknown]>([
    ['a plain error', new Error('SELECT secret FROM table')],
    ['a failed statement', withFields('syntax error', { code: 'P2010', meta: { code: '42601' } })],
    ['a broken rule of the database', withFields('duplicate key', { code: '23505' })],
    ['a thrown text', 'secret'],
    ['nothing', undefined],
    ['null', null],
    ['a status from an unknown source', withFields('secret', { statusCode: 404 })],
    ['a server error of a framework', new HttpException('secret', 502)],
    ['a circle of causes', circle()],
  ])('is "internal", without a word of it, for %s', (_title, error) => {
    const shown = toPublicError(error);
    expect(shown.code).toBe('internal');
    expect(JSON.stringify(toProblem(shown, 'id'))).not.toMatch(/secret|SELECT|duplicate|syntax/);
  });

  it.each<[unknown, string]>([
    [new NotFoundException('Cannot GET /secret'), 'not_found'],
    [new HttpException('secret', 403), 'forbidden'],
    [new HttpException('secret', 418), 'malformed'],
    [withFields('secret', { code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }), 'payload_too_large'],
    [withFields('secret', { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }), 'unsupported_media_type'],
    [withFields('secret', { code: 'FST_ERR_BAD_URL', statusCode: 400 }), 'malformed'],
  ])('has a text of ours for an error of a framework (%#)', (error, code) => {
    const shown = toPublicError(error);
    expect(shown.code).toBe(code);
    expect(shown.detail).not.toContain('secret');
  });

  it('is a DomainError itself', () => {
    const error = new DomainError('conflict', 'It is finished.');
    expect(toPublicError(error)).toBe(error);
  });
});

describe('a problem document', () => {
  it('says what, where and which request', () => {
    const errors = [{ path: 'taskId', message: 'must be a text' }];
    expect(toProblem(new DomainError('malformed', 'No.', { errors }), 'abc')).toEqual({
      type: 'urn:rescan:error:malformed',
      title: 'Bad Request',
      status: 400,
      detail: 'No.',
      code: 'malformed',
      instance: 'urn:rescan:request:abc',
      errors,
    });
  });

  it('carries the headers that its status asks for', () => {
    const busy = new DomainError('too_many_open_targets', 'Wait.', { retryAfterSeconds: 60 });
    expect(problemHeaders(busy)).toMatchObject({ 'retry-after': '60', 'content-type': 'application/problem+json' });
    expect(problemHeaders(new DomainError('unauthenticated', 'Who?'))).toHaveProperty('www-authenticate', 'Bearer');
    expect(problemHeaders(new DomainError('not_found', 'Where?'))).not.toHaveProperty('retry-after');
  });

  it('has a title for every code', () => {
    for (const code of ERROR_CODES) {
      expect(toProblem(new DomainError(code, 'x'), 'id')).toMatchObject({
        status: STATUS[code],
        title: expect.stringMatching(/^[A-Z]/),
      });
    }
  });
});

function circle(): Error {
  const error: Error & { cause?: unknown } = new Error('secret');
  error.cause = error;
  return error;
}
