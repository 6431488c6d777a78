import type { ErrorClass } from './app-config.js';
import type { Parser } from './variable.js';

const CLASSES: readonly ErrorClass[] = ['rejected_cluster', 'rejected_task', 'unavailable', 'unknown', 'blocked'];

/** HSS codes only: what the gateway's codes mean is documented. */
export const errorClasses: Parser<ReadonlyMap<string, ErrorClass>> = (raw) => {
  const pairs = raw
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '');
  const read = pairs.map((pair): [string, ErrorClass] | null => {
    const [, code, word] = /^(HSS\.\d{4}|\d{8})\s*=\s*(\w+)$/.exec(pair) ?? [];
    const errorClass = CLASSES.find((candidate) => candidate === word);
    return code && errorClass ? [code, errorClass] : null;
  });
  const good = read.filter((pair) => pair !== null);
  const isGood = good.length === read.length && new Set(good.map(([code]) => code)).size === good.length;
  return isGood
    ? { value: new Map(good) }
    : { mustBe: `a list such as HSS.1021=rejected_task, each code once; classes are ${CLASSES.join(', ')}` };
};
