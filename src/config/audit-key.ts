import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { reason } from './secret-source.js';
import { Secret } from './secret.js';
import type { Parser } from './variable.js';

const FORM = 'an Ed25519 private key, as "openssl genpkey -algorithm ed25519" makes it';

/** PEM, or the base64 between its lines alone: an environment file has no line breaks. */
export const auditKey: Parser<Secret> = (raw) => {
  const text = raw.trim();
  const pem = text.startsWith('-----') ? text : `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----`;
  return isEd25519(pem) ? { value: new Secret(pem) } : { mustBe: FORM };
};

export const auditKeyFile: Parser<Secret> = (path) => {
  try {
    const parsed = auditKey(readFileSync(path, 'utf8'));
    return 'value' in parsed ? parsed : { mustBe: `a file that holds ${parsed.mustBe}` };
  } catch (error) {
    return { mustBe: `the path of a file that can be read${reason(error)}` };
  }
};

function isEd25519(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}
