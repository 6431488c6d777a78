import { readFileSync } from 'node:fs';
import { reason } from './secret-source.js';
import { Secret } from './secret.js';
import type { Parser } from './variable.js';

/** More than two are a change-over that was never finished. */
const MOST = 5;
/** Standard Webhooks: 192 to 512 bits. */
const BYTES = { min: 24, max: 64 };

const FORM = `1 to ${MOST} secrets with spaces between them, each whsec_ and then ${BYTES.min} to ${BYTES.max} bytes in base64`;

/** All of them sign: a receiver that knows any can check. */
export const signingSecrets: Parser<readonly Secret[]> = (raw) => {
  const words = raw.split(/[\s,]+/).filter((word) => word !== '');
  const isGood = words.length >= 1 && words.length <= MOST && words.every(isSecret);
  return isGood ? { value: Object.freeze(words.map((word) => new Secret(word))) } : { mustBe: FORM };
};

export const signingSecretsFile: Parser<readonly Secret[]> = (path) => {
  try {
    const parsed = signingSecrets(readFileSync(path, 'utf8'));
    return 'value' in parsed ? parsed : { mustBe: `a file that holds ${parsed.mustBe}` };
  } catch (error) {
    return { mustBe: `the path of a file that can be read${reason(error)}` };
  }
};

function isSecret(word: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(word) ?? [];
  const bytes = Buffer.from(base64 ?? '', 'base64');
  // Encoded again, it must be the same: what is cut or padded wrongly would be another key at the receiver's.
  return bytes.toString('base64') === base64 && bytes.length >= BYTES.min && bytes.length <= BYTES.max;
}
