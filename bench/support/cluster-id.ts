import { createHash } from 'node:crypto';

/** 36 characters, as upstream, in no order. */
export function clusterIdOf(text: string): string {
  const hex = createHash('md5').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
