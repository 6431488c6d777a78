import canonicalize from 'canonicalize';
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { SealHead } from '../domain/seal-head.js';

type Statement = Pick<SealHead, 'projectId' | 'seq' | 'hash' | 'at'>;

/** The bytes that are signed: canonical JSON (RFC 8785), with a word on what it is, so that no signature serves for anything else. */
const bytesOf = ({ projectId, seq, hash, at }: Statement, keyId: string): Buffer =>
  Buffer.from(canonicalize({ type: 'rescan.seal-head.v1', projectId, seq, hash, at, keyId }) ?? '');

/** Of a public key: the first 128 bits of the SHA-256 of its SPKI, in hex. */
export const keyIdOf = (publicKey: KeyObject): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 32);

export class HeadSigner {
  readonly keyId: string;
  /** PEM. */
  readonly publicKey: string;
  readonly #key: KeyObject;

  /** @param pem an Ed25519 private key */
  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    const publicKey = createPublicKey(pem);
    this.keyId = keyIdOf(publicKey);
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }

  sign(statement: Statement): SealHead {
    const signature = sign(null, bytesOf(statement, this.keyId), this.#key).toString('base64');
    return { ...statement, keyId: this.keyId, signature };
  }
}

export function isSignedBy(head: SealHead, publicKey: KeyObject): boolean {
  if (head.keyId !== keyIdOf(publicKey) || head.signature === null) return false;
  return verify(null, bytesOf(head, head.keyId), publicKey, Buffer.from(head.signature, 'base64'));
}
