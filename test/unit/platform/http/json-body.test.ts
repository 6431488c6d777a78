import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isUtf8Charset, parseJsonBody } from '../../../../src/platform/http/json-body.js';
import { findJsonFault } from '../../../../src/platform/http/json-scan.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
const wide = { depth: 100, keysPerObject: 1_000, values: 100_000 };

describe('a JSON body', () => {
  it.each([
    ['a plain object', '{"a":1,"b":[true,null,"x"],"c":{"a":2}}'],
    ['white space everywhere', ' \n{ "a" : [ 1 , 2 ] , "b" : { } } \t'],
    ['structure inside texts', '{"a":"[[[[[[[[[[[[{,\\"a\\":","b":"}"}'],
    ['a backslash before a quote', '{"a\\\\":1,"a\\"":2,"a":3}'],
    ['a whole surrogate pair, escaped', '{"a":"\\ud83d\\uDE00"}'],
    ['the same key in two objects', '{"a":{"k":1},"b":{"k":1},"k":[{"k":1},{"k":2}]}'],
    ['a text that is a forbidden key as a value', '{"a":"__proto__","b":["constructor"]}'],
    ['numbers that overflow', '{"a":1e999,"b":-1e999}'],
    ['text in any script', '{"a":"Grüße, 世界, 😀"}'],
  ])('may hold %s', (_title, text) => {
    expect(parseJsonBody(bytes(text))).toEqual(JSON.parse(text));
  });

  it.each([
    ['nothing', '', 'empty'],
    ['only white space', ' \n', 'not valid JSON'],
    ['a list', '[]', 'not a JSON object'],
    ['a text', '"a"', 'not a JSON object'],
    ['null', 'null', 'not a JSON object'],
    ['half an object', '{"a":1', 'not valid JSON'],
    ['two objects', '{"a":1}{"a":1}', 'not valid JSON'],
    ['a comment', '{/*a*/"a":1}', 'not valid JSON'],
    ['a trailing comma', '{"a":1,}', 'not valid JSON'],
    ['a raw NUL in a text', '{"a":"\u0000"}', 'not valid JSON'],
    ['an unfinished escape', '{"a":"\\u12', 'not valid JSON'],
    ['an unfinished text', '{"a":"b', 'not valid JSON'],
    ['too many closing brackets', '{"a":1}]]]]', 'not valid JSON'],
    ['a byte order mark', '\ufeff{"a":1}', 'byte order mark'],
    ['a duplicate key', '{"a":1,"b":2,"a":1}', 'same key twice'],
    ['a duplicate key in a deeper object', '{"a":[{"b":{"c":1,"c":2}}]}', 'same key twice'],
    ['a duplicate key, once escaped', '{"a":1,"\\u0061":2}', 'same key twice'],
    ['a duplicate empty key', '{"":1,"":2}', 'same key twice'],
    ['__proto__', '{"__proto__":{}}', 'not allowed'],
    ['__proto__, escaped', '{"__pro\\u0074o__":{}}', 'not allowed'],
    ['constructor, deeper', '{"labels":{"constructor":"x"}}', 'not allowed'],
    ['an escaped NUL', '{"a":"\\u0000"}', 'NUL'],
    ['an escaped NUL in a key', '{"a\\u0000":1}', 'NUL'],
    ['a high surrogate alone', '{"a":"\\ud800"}', 'surrogate'],
    ['a low surrogate alone', '{"a":"\\uDC00"}', 'surrogate'],
    ['surrogates the wrong way round', '{"a":"\\udc00\\ud800"}', 'surrogate'],
    ['a high surrogate before another escape', '{"a":"\\ud800\\u0041"}', 'surrogate'],
    ['a surrogate in a key', '{"\\ud800":1}', 'surrogate'],
    ['nine levels', `{"a":${'['.repeat(8)}${']'.repeat(8)}}`, 'nested'],
    ['1,500 levels', `{"a":${'['.repeat(1_500)}${']'.repeat(1_500)}}`, 'nested'],
    ['levels that are never closed', '{"a":'.repeat(100_000), 'nested'],
    ['65 keys', `{${Array.from({ length: 65 }, (_, index) => `"k${index}":1`).join(',')}}`, 'more than 64 keys'],
    ['too many values', `{"a":[${'0,'.repeat(250_000)}0]}`, 'more than 250000 values'],
    ['too many objects', `{"a":[${'{},'.repeat(130_000)}{}]}`, 'more than 250000 values'],
  ])('may not hold %s', (_title, text, reason) => {
    expect(() => parseJsonBody(bytes(text))).toThrow(
      expect.objectContaining({ code: 'malformed', detail: expect.stringContaining(reason) }),
    );
  });

  it.each([
    ['a byte that is never UTF-8', [0x7b, 0xff, 0x7d]],
    ['an overlong slash', [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d]],
    ['a surrogate encoded by itself', [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]],
    ['UTF-16', [...Buffer.from('{"a":"ü\ud83d"}', 'utf16le')]],
  ])('is not UTF-8 with %s', (_title, raw) => {
    expect(() => parseJsonBody(Buffer.from(raw))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('is never quoted in the answer', () => {
    expect(() => parseJsonBody(bytes('{"token": secret-in-body}'))).toThrow(
      expect.objectContaining({ detail: expect.not.stringContaining('secret') }),
    );
  });

  it('takes 8 levels, 64 keys and 100,000 ids', () => {
    const keys = Object.fromEntries(Array.from({ length: 63 }, (_, index) => [`k${index}`, index]));
    const body = { ...keys, ids: Array.from({ length: 100_000 }, (_, index) => `cluster-${index}`) };
    expect(parseJsonBody(bytes(JSON.stringify(body)))).toEqual(body);
    expect(parseJsonBody(bytes(`{"a":${'['.repeat(7)}${']'.repeat(7)}}`))).toBeDefined();
  });

  it('means what JSON.parse says, whatever valid JSON it is', () => {
    const safeKey = fc
      .string({ unit: 'grapheme' })
      .filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key));
    const noNul = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000'));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 5 }, noNul, fc.double(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
      list: fc.array(tie('tree'), { maxLength: 5 }),
      map: fc.dictionary(
        safeKey.filter((key) => !key.includes('\u0000')),
        tie('tree'),
        { maxKeys: 5 },
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify({ value }, null, indent);
        expect(parseJsonBody(bytes(text), wide)).toEqual(JSON.parse(text));
      }),
      { numRuns: 200 },
    );
  });

  it('survives any bytes', () => {
    const alphabet = fc.constantFrom(...'{}[]",:\\u0dD8a1 ');
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 60 }), (text) => {
        const fault = findJsonFault(bytes(text), wide);
        expect(fault === null || typeof fault === 'string').toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

it.each([
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['application/json;charset="UTF-8"', true],
  ['application/json; charset=utf8; odata=verbose', true],
  ['application/json; charset=utf-7', false],
  ['application/json; charset=utf-16', false],
  ['application/json; charset=', false],
  ['application/json; charset', false],
  ['application/json; charset="utf-8', false],
  ['application/json; charset=utf-8; charset=latin1', false],
])('the charset of %s is UTF-8: %s', (contentType, expected) => {
  expect(isUtf8Charset(contentType)).toBe(expected);
});
