import type { CredentialAuth } from './app-config.js';
import type { Mapping } from './mapping.js';
import { namesSecret, readKey, readSecret, type SecretSources } from './secret-source.js';

const LABEL = /^[^\p{Cc}]{1,256}$/u;

/** Reads the `auth` of a credential. Null, or a part of it null, with a problem noted. */
export function readAuth(mapping: Mapping, sources: SecretSources): CredentialAuth | null {
  const auth = mapping.mapping('auth');
  if (!auth) return null;
  const kind = auth.text('kind', /^(aksk|password)$/, 'aksk or password');
  if (kind === null) return null;
  const read = kind === 'aksk' ? readAkSk(auth, sources) : readPassword(auth, sources);
  auth.refuseRest('; secrets are not written here');
  return Object.freeze(read) as CredentialAuth;
}

function readAkSk(auth: Mapping, sources: SecretSources): object {
  return {
    kind: 'aksk',
    accessKey: readKey(auth, 'accessKey', sources),
    secretKey: readKey(auth, 'secretKey', sources),
    securityToken: namesSecret(auth, 'securityToken') ? readKey(auth, 'securityToken', sources) : null,
  };
}

function readPassword(auth: Mapping, sources: SecretSources): object {
  return {
    kind: 'password',
    userName: auth.text('userName', LABEL, 'the name of an IAM user'),
    domainName: auth.text('domainName', LABEL, "the name of the user's account"),
    password: readSecret(auth, 'password', sources),
  };
}
