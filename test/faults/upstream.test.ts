import { describe, expect, it } from '@jest/globals';
import type { FaultEffect, FaultRule } from '../../src/simulator/simulator.js';
import { eventually } from '../support/eventually.js';
import { aWorld, runSafely, SEED } from './support/suite.js';

const world = aWorld();

/** Each row hits so many calls, one after the other. */
const HITS = 2;
const error = (status: number, ...codes: string[]): FaultEffect[] =>
  codes.map((code) => ({ kind: 'error', status, code }));
const half = (effects: readonly FaultEffect[]): FaultEffect[] =>
  effects.map((effect) => ({ ...effect, work: 'half' }) as FaultEffect);
/** What may have been carried out is tried both ways. */
const bothWays = (effects: readonly FaultEffect[]): FaultEffect[] =>
  effects.flatMap((effect) => [effect, { ...effect, work: 'all' } as FaultEffect]);

/** The table of the vendor's errors, a row each, and what stands in no table. */
const TABLE: Readonly<Record<string, readonly FaultEffect[]>> = {
  rejected: [
    ...error(400, 'HSS.0001', 'HSS.0002', 'HSS.1021', 'HSS.0010', 'HSS.0011', 'HSS.0013', '00000010'),
    ...[400, 413, 414, 494].flatMap((status) => error(status, 'APIGW.0201')),
  ],
  unavailable: [
    ...half(error(400, 'HSS.1004', 'HSS.1006', 'HSS.1007', 'HSS.1008')),
    ...error(503, 'APIGW.0605', 'APIGW.0606', 'APIGW.0608', 'APIGW.0609', 'APIGW.0610', 'APIGW.0611', 'APIG.0613'),
  ],
  'unknown, by its status': bothWays([
    ...error(500, 'APIGW.0201', 'HSS.0041', ''),
    ...error(502, 'APIGW.0201', 'APIGW.0202'),
    ...error(504, 'APIGW.0203', 'APIGW.0601'),
    ...[502, 504].map((status) => ({ kind: 'error', status, shape: 'html' }) as const),
    ...error(200, 'HSS.1005'),
    { kind: 'error', status: 408, shape: 'empty' },
  ]),
  'unknown, since it is not to be read': bothWays([
    { kind: 'truncate', work: 'none' },
    { kind: 'no_answer', work: 'none' },
    { kind: 'reset', work: 'none' },
    { kind: 'huge_body', bytes: 300_000_000 },
    { kind: 'slow_body', everyMs: 20 },
  ]).concat([
    { kind: 'reset', work: 'half' },
    { kind: 'no_answer', work: 'half' },
    { kind: 'half' },
    { kind: 'huge_body', bytes: 1_000_000, status: 400 },
    { kind: 'slow_body', everyMs: 20, status: 502, work: 'all' },
  ]),
  blocked: [
    ...error(401, 'APIGW.0307', 'APIGW.0301', 'APIGW.0303', 'APIGW.0305'),
    ...error(404, 'APIGW.0101', 'APIGW.0106', 'APIGW.0401', 'APIGW.0404'),
    ...error(403, 'APIGW.0302', 'APIGW.0304', 'APIGW.0306', 'APIGW.0310', 'APIGW.0402', 'APIGW.0802'),
    ...error(405, 'APIGW.0501', 'APIGW.0502'),
    { kind: 'error', status: 302, headers: { location: 'http://127.0.0.1:9/' } },
  ],
  // A 429 that does not say how long its window is pauses for a minute: see the unit tests.
  throttled: [
    ...(['user', 'ip', 'api'] as const).map((policy) => ({ kind: 'throttle', policy, windowMs: 1_000 }) as const),
    { kind: 'throttle', windowMs: 1_000, retryAfter: '2' },
  ],
};

const rulesOf = (effects: readonly FaultEffect[]): FaultRule[] =>
  effects.map((effect) => ({ operation: 'RetryTask', times: HITS, effect }));

describe('the upstream', () => {
  it.each(Object.entries(TABLE).map(([name, effects], index) => [name, index, effects] as const))(
    '%s: every row of its errors',
    async (name, index, effects) => {
      const { simulator } = await world();
      const hit = (): number => simulator.controls.ledger().filter(({ faults }) => faults.length > 0).length;
      let hits = 0;
      await runSafely(await world(), {
        name: `upstream ${name}`,
        seed: SEED * 1_000 + 700 + index,
        weather: rulesOf(effects),
        during: async () => {
          await eventually(() => simulator.controls.faults().length === 0, { limitMs: 110_000, everyMs: 100 });
          hits = hit();
        },
      });
      expect(hits).toBe(effects.length * HITS);
    },
  );

  it('its lists in trouble as well as its calls', async () => {
    const lists = (['ListTasks', 'ListTaskResources'] as const).flatMap((operation): FaultRule[] =>
      (
        [
          [0.1, { kind: 'no_answer', work: 'none' }],
          [0.1, { kind: 'error', status: 502, shape: 'html' }],
          [0.1, { kind: 'truncate', work: 'all' }],
          [0.05, { kind: 'error', status: 400, code: 'HSS.0011' }],
          [0.05, { kind: 'throttle', policy: 'user', windowMs: 1_000 }],
        ] as const
      ).map(([probability, effect]) => ({ operation, probability, times: null, effect })),
    );
    const calls: FaultRule = {
      operation: 'RetryTask',
      probability: 0.5,
      times: null,
      effect: { kind: 'reset', work: 'half' },
    };
    await runSafely(await world(), {
      name: 'upstream lists in trouble',
      seed: SEED * 1_000 + 720,
      weather: [calls, ...lists],
      during: () => new Promise((resolve) => setTimeout(resolve, 12_000)),
    });
  });
});
