import type { CredentialAuth, CredentialConfig } from '../config/app-config.js';
import { VERSION } from '../config/version.js';
import type { HssOperation } from './operations.js';
import type { UpstreamCall } from './scan-tasks.js';
import { encodePath, encodeQuery, sign } from './signer.js';

export const commonHeaders = { 'content-type': 'application/json', 'user-agent': `rescan/${VERSION}` } as const;

interface HssRequest {
  /** With its query. A string from beginning to end: `new URL` would fold `/v5/../common` into another operation. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What went into the headers and must not come back in evidence. */
  readonly secrets: readonly string[];
}

/** @param token of the call's project; null for a credential that signs. */
export function hssRequest(
  operation: HssOperation,
  { projectId, at }: UpstreamCall,
  { auth, hssUrl }: CredentialConfig,
  token: string | null,
): HssRequest {
  const path = encodePath(operation.path);
  const { method, query, body } = operation;
  const target = `${path}?${encodeQuery(query)}`;
  if (auth.kind === 'password') {
    const secrets = [auth.password.reveal(), ...(token === null ? [] : [token])];
    return { target, headers: { ...commonHeaders, ...(token === null ? {} : { 'x-auth-token': token }) }, secrets };
  }
  const key = { accessKey: auth.accessKey.reveal(), secretKey: auth.secretKey.reveal() };
  const headers = sign({ method, path, query, headers: signedHeaders(projectId, auth, hssUrl), body }, key, at);
  const secrets = [key.accessKey, key.secretKey, ...(auth.securityToken ? [auth.securityToken.reveal()] : [])];
  return { target, headers: { ...headers, 'user-agent': commonHeaders['user-agent'] }, secrets };
}

/** Not the user agent: a gateway in between may change it. */
function signedHeaders(
  projectId: string,
  auth: Extract<CredentialAuth, { kind: 'aksk' }>,
  hssUrl: string,
): Record<string, string> {
  return {
    host: new URL(hssUrl).host,
    'content-type': commonHeaders['content-type'],
    'x-project-id': projectId,
    ...(auth.securityToken ? { 'x-security-token': auth.securityToken.reveal() } : {}),
  };
}
