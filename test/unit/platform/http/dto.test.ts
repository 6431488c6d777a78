import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { IsIn, IsString, MaxLength } from 'class-validator';
import {
  IsClusterId,
  IsIdArray,
  IsLabels,
  IsProjectId,
  MayBeAbsent,
  QueryInt,
  Rfc3339Date,
} from '../../../../src/platform/http/dto-rules.js';
import { ValidDtoPipe } from '../../../../src/platform/http/validation.js';

class SampleDto {
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @MayBeAbsent()
  @IsClusterId()
  clusterId?: string;

  @MayBeAbsent()
  @IsIdArray(100_000)
  clusterIds?: string[];

  @MayBeAbsent()
  @IsIn(['a', 'b'])
  kind?: string;

  @MayBeAbsent()
  @Rfc3339Date()
  deadline?: Date;

  @MayBeAbsent()
  @QueryInt(1, 200)
  limit: number = 50;

  @MayBeAbsent()
  @IsLabels()
  labels?: Record<string, string>;

  @MayBeAbsent()
  @IsString()
  @MaxLength(3)
  note?: string;
}

const pipe = new ValidDtoPipe();
const check = (value: unknown): Promise<unknown> => pipe.transform(value, { type: 'body', metatype: SampleDto });
const refusal = (path: string, message: unknown): unknown =>
  expect.objectContaining({ code: 'malformed', errors: [{ path, message }] });

describe('a DTO', () => {
  it('is an instance of its class, with its defaults and its own types', async () => {
    const dto = await check({ deadline: '2030-01-31T12:00:00+02:00', kind: 'a' });
    expect(dto).toBeInstanceOf(SampleDto);
    expect(dto).toMatchObject({ deadline: new Date('2030-01-31T10:00:00Z'), kind: 'a', limit: 50 });
  });

  it('may come without a body', async () => {
    expect(await check(undefined)).toMatchObject({ limit: 50 });
  });

  it('keeps a list as it came', async () => {
    const clusterIds = Array.from({ length: 100_000 }, (_, index) => `cluster-${index}`);
    expect(await check({ clusterIds })).toHaveProperty('clusterIds', clusterIds);
  });

  it.each<[string, object, string, string]>([
    ['an unknown field', { nope: 1 }, 'nope', 'is not a known field'],
    ['the name of a method', { constructor: 1 }, 'constructor', 'is not a known field'],
    ['a prototype', JSON.parse('{"__proto__":{"limit":1}}') as object, '__proto__', 'is not a known field'],
    ['a name that cannot be printed', { 'a\u0000ü': 1 }, 'a??', 'is not a known field'],
    ['null for a field that may be absent', { kind: null }, 'kind', 'must be one of the following values: a, b'],
    ['a number for a text', { note: 1 }, 'note', 'must be'],
    ['a number for a date', { deadline: 1 }, 'deadline', 'must be an RFC 3339 date-time'],
    ['a day that is not in the calendar', { deadline: '2030-02-30T00:00:00Z' }, 'deadline', 'must be an RFC 3339'],
    ['a limit in words', { limit: 'ten' }, 'limit', 'must be a whole number from 1 to 200'],
    ['a limit out of range', { limit: '201' }, 'limit', 'must be a whole number from 1 to 200'],
    ['a limit with an exponent', { limit: '1e2' }, 'limit', 'must be a whole number from 1 to 200'],
    ['a limit given twice', { limit: ['1', '2'] }, 'limit', 'must be a whole number from 1 to 200'],
    ['no ids', { clusterIds: [] }, 'clusterIds', 'must be a list of 1 to 100000 ids'],
    ['one id too many', { clusterIds: Array(100_001).fill('a') }, 'clusterIds', 'must be a list of 1 to 100000 ids'],
    ['a text for a list', { clusterIds: 'a' }, 'clusterIds', 'must be a list of 1 to 100000 ids'],
    ['an object for a list', { clusterIds: { length: 1, 0: 'a' } }, 'clusterIds', 'must be a list'],
    ['a bad id in a list', { clusterIds: ['a', 'b', ''] }, 'clusterIds', 'item 2 must be a text of 1 to 64'],
    ['a list in a list', { clusterIds: [['a']] }, 'clusterIds', 'item 0 must be a text of 1 to 64'],
  ])('refuses %s', async (_title, value, path, message) => {
    await expect(check(value)).rejects.toEqual(refusal(path, expect.stringContaining(message)));
  });

  it.each(['', '.', '..', ' ', 'a b', 'a\u0000', 'a\n', 'ü', '\u007f', '😀', 'x'.repeat(65)])(
    'refuses the id %j',
    async (id) => {
      await expect(check({ clusterId: id })).rejects.toEqual(refusal('clusterId', expect.any(String)));
      await expect(check({ clusterIds: ['ok', id] })).rejects.toEqual(
        refusal('clusterIds', expect.stringMatching(/^item 1/)),
      );
    },
  );

  it.each(['a', '...', 'a/../b', '!~', 'x'.repeat(64), '__proto__'])('takes the id %j', async (id) => {
    expect(await check({ clusterId: id, clusterIds: [id] })).toMatchObject({ clusterId: id, clusterIds: [id] });
  });

  it.each<[string, unknown]>([
    ['a text', 'a=b'],
    ['null', null],
    ['a list', ['a']],
    ['a number as a value', { a: 1 }],
    ['an object as a value', { a: {} }],
    ['an empty key', { '': 'a' }],
    ['too long a key', { ['k'.repeat(64)]: 'a' }],
    ['too long a value', { a: 'v'.repeat(256) }],
    ['21 labels', Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, 'v']))],
    ['a control character', { a: 'x\u0007' }],
    ['a line break in a key', { 'a\n': 'x' }],
    ['a lone surrogate', { a: '\ud800' }],
    ['text that runs backwards', { a: '\u202eabc' }],
    ['a prototype', JSON.parse('{"__proto__":"x"}')],
  ])('refuses labels that are or hold %s', async (_title, labels) => {
    await expect(check({ labels })).rejects.toEqual(refusal('labels', expect.stringMatching(/^must/)));
  });

  it('takes labels up to their limits, in any script', async () => {
    const labels = { ['k'.repeat(63)]: '😀'.repeat(255), größe: '', 'with space': 'ok' };
    expect(await check({ labels })).toHaveProperty('labels', labels);
  });

  it('lists at most 20 faults, and no value of them', async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`field${index}`, 'secret']));
    const error = await check({ ...many, note: 'secret' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ errors: { length: 20 }, detail: expect.stringContaining('first 20 of 61') });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('leaves alone what is no DTO', async () => {
    expect(await pipe.transform('5', { type: 'param', metatype: String })).toBe('5');
    expect(await pipe.transform({ a: 1 }, { type: 'custom', metatype: SampleDto })).toEqual({ a: 1 });
  });
});
