import { errorShapes, type ErrorShape } from './answers.js';
import { throttlePolicies, type ThrottlePolicy } from './rate-limit.js';
import {
  fields,
  fraction,
  InvalidInput,
  integer,
  listOf,
  oneOf,
  orNull,
  type Reader,
  readKnown,
  required,
  text,
} from './reading.js';
import { type Operation, operations } from './routing.js';

/** How much of the call is carried out, whatever its caller gets to see. */
const works = ['none', 'half', 'all'] as const;
export type Work = (typeof works)[number];

/** An effect with a `ms` of latency adds to others; of all other effects the first rule that hits wins. */
export type FaultEffect =
  | { readonly kind: 'latency'; readonly ms: number; readonly when?: 'before_work' | 'after_work' }
  | {
      readonly kind: 'throttle';
      readonly policy?: ThrottlePolicy;
      readonly limit?: number;
      readonly windowMs?: number;
      /** The header as it is sent: seconds or a date. */
      readonly retryAfter?: string;
    }
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code?: string;
      readonly message?: string;
      readonly shape?: ErrorShape;
      readonly headers?: Readonly<Record<string, string>>;
      /** By default none. */
      readonly work?: Work;
    }
  /** Resets the connection, without a status line. */
  | { readonly kind: 'reset'; readonly work: Work }
  /** Never answers; the connection stays open until the caller gives up. */
  | { readonly kind: 'no_answer'; readonly work: Work }
  /** Cuts the answer off after its head and half of its body. */
  | { readonly kind: 'truncate'; readonly work: Work }
  | { readonly kind: 'huge_body'; readonly bytes: number; readonly status?: number; readonly work?: Work }
  /** A byte of the body every `everyMs`, for as long as the caller listens. */
  | { readonly kind: 'slow_body'; readonly everyMs: number; readonly status?: number; readonly work?: Work }
  /** The token dies; this call and all later ones with it get 401 APIGW.0307. */
  | { readonly kind: 'expire_token' }
  /** Takes every other cluster and answers as if it had taken all. */
  | { readonly kind: 'half' }
  /** A call that touches one of these clusters is rejected as a whole, and names none of them. */
  | {
      readonly kind: 'poison';
      readonly clusterIds: readonly string[];
      readonly status?: number;
      readonly code?: string;
    };

export interface FaultRule {
  readonly id?: string;
  readonly operation?: Operation;
  readonly taskId?: string;
  readonly clusterId?: string;
  readonly credential?: string;
  /** How many calls it hits; by default 1, null: until it is cleared. */
  readonly times?: number | null;
  /** Of hitting a call that matches; by default 1. */
  readonly probability?: number;
  readonly effect: FaultEffect;
}

type EffectReader<K extends FaultEffect['kind']> = (
  value: unknown,
  what: string,
) => Partial<Extract<FaultEffect, { kind: K }>>;

const work = oneOf(works);
const headers: Reader<Record<string, string>> = (value, what) =>
  Object.fromEntries(
    Object.entries(fields(value, what)).map(([name, header]) => [name, text({ max: 32_768 })(header, name)]),
  );

const effectReaders: { readonly [K in FaultEffect['kind']]: EffectReader<K> } = {
  latency: (v, what) =>
    readKnown(v, what, { kind: oneOf(['latency']), ms: integer(), when: oneOf(['before_work', 'after_work']) }),
  throttle: (v, what) =>
    readKnown(v, what, {
      kind: oneOf(['throttle']),
      policy: oneOf(throttlePolicies),
      limit: integer(),
      windowMs: integer({ min: 1 }),
      retryAfter: text(),
    }),
  error: (v, what) =>
    readKnown(v, what, {
      kind: oneOf(['error']),
      status: integer({ min: 200, max: 599 }),
      code: text({ min: 0, max: 64 }),
      message: text({ min: 0, max: 100_000 }),
      shape: oneOf(errorShapes),
      headers,
      work,
    }),
  reset: (v, what) => readKnown(v, what, { kind: oneOf(['reset']), work }),
  no_answer: (v, what) => readKnown(v, what, { kind: oneOf(['no_answer']), work }),
  truncate: (v, what) => readKnown(v, what, { kind: oneOf(['truncate']), work }),
  huge_body: (v, what) =>
    readKnown(v, what, {
      kind: oneOf(['huge_body']),
      bytes: integer({ min: 1, max: 1_073_741_824 }),
      status: integer({ min: 200, max: 599 }),
      work,
    }),
  slow_body: (v, what) =>
    readKnown(v, what, {
      kind: oneOf(['slow_body']),
      everyMs: integer({ min: 1 }),
      status: integer({ min: 200, max: 599 }),
      work,
    }),
  expire_token: (v, what) => readKnown(v, what, { kind: oneOf(['expire_token']) }),
  half: (v, what) => readKnown(v, what, { kind: oneOf(['half']) }),
  poison: (v, what) =>
    readKnown(v, what, {
      kind: oneOf(['poison']),
      clusterIds: listOf(text({ max: 64 }), { min: 1 }),
      status: integer({ min: 200, max: 599 }),
      code: text({ max: 64 }),
    }),
};

/** The fields that an effect cannot do without. */
const needed: Readonly<Partial<Record<FaultEffect['kind'], readonly string[]>>> = {
  latency: ['ms'],
  error: ['status'],
  reset: ['work'],
  no_answer: ['work'],
  truncate: ['work'],
  huge_body: ['bytes'],
  slow_body: ['everyMs'],
  poison: ['clusterIds'],
};

const readEffect: Reader<FaultEffect> = (value, what) => {
  const kinds = Object.keys(effectReaders) as FaultEffect['kind'][];
  const kind = required(fields(value, what), 'kind', oneOf(kinds));
  const effect = effectReaders[kind](value, what);
  const missing = (needed[kind] ?? []).filter((field) => !(field in effect));
  if (missing.length > 0) throw new InvalidInput(`${what} of kind ${kind} needs ${missing.join(', ')}`);
  return effect as FaultEffect;
};

export const readFaultRule: Reader<FaultRule> = (value, what) => {
  const rule = readKnown<FaultRule>(value, what, {
    id: text({ max: 64 }),
    operation: oneOf(operations),
    taskId: text({ max: 64 }),
    clusterId: text({ max: 64 }),
    credential: text(),
    times: orNull(integer({ min: 1 })),
    probability: fraction,
    effect: readEffect,
  });
  if (!rule.effect) throw new InvalidInput(`${what} needs an effect`);
  return { ...rule, effect: rule.effect };
};
