import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const ALGORITHM = 'SDK-HMAC-SHA256';
const AUTHORIZATION = /^SDK-HMAC-SHA256 Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;
const SDK_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they arrived, still escaped. */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bodySha256: string;
}

interface Claim {
  readonly accessKey: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** Null when the header is no SDK-HMAC-SHA256 authorization at all. */
export function parseAuthorization(header: string): Claim | null {
  const found = AUTHORIZATION.exec(header);
  if (!found?.[1] || !found[2] || !found[3]) return null;
  return { accessKey: found[1], signedHeaders: found[2].split(';'), signature: found[3] };
}

/** Milliseconds since the epoch, or null when it is not of the form YYYYMMDDTHHMMSSZ. */
export function parseSdkDate(text: string): number | null {
  const [, year, month, day, hour, minute, second] = SDK_DATE.exec(text) ?? [];
  if (!second) return null;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}

/** Host and date must be signed: without them a signature could be used elsewhere, and for ever. */
export function isSignedBy(secretKey: string, request: SignedRequest, claim: Claim): boolean {
  if (!claim.signedHeaders.includes('host') || !claim.signedHeaders.includes('x-sdk-date')) return false;
  const canonical = canonicalRequest(request, claim.signedHeaders);
  if (canonical === null) return false;
  const expected = Buffer.from(signatureOf(canonical, headerText(request, 'x-sdk-date') ?? '', secretKey), 'hex');
  return timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'));
}

function signatureOf(canonical: string, sdkDate: string, secretKey: string): string {
  const toSign = `${ALGORITHM}\n${sdkDate}\n${createHash('sha256').update(canonical).digest('hex')}`;
  return createHmac('sha256', secretKey).update(toSign).digest('hex');
}

/** Null when a signed header is missing, the list is not in order, or the escapes of path or query are broken. */
export function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string | null {
  const inOrder = signedHeaders.every((name, i) => i === 0 || (signedHeaders[i - 1] ?? '') < name);
  const lines = signedHeaders.map((name) => [name, headerText(request, name)] as const);
  if (!inOrder || lines.some(([, value]) => value === undefined)) return null;
  try {
    return [
      request.method,
      canonicalPath(request.path),
      canonicalQuery(request.query),
      lines.map(([name, value]) => `${name}:${value ?? ''}\n`).join(''),
      signedHeaders.join(';'),
      request.bodySha256,
    ].join('\n');
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

function headerText(request: SignedRequest, name: string): string | undefined {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(',') : value)?.trim();
}

/** The gateway unescapes each segment and escapes it again its own way; it adds a slash at the end in the signature only. */
function canonicalPath(path: string): string {
  const escaped = path
    .split('/')
    .map((segment) => escapeStrictly(decodeURIComponent(segment)))
    .join('/');
  return escaped.endsWith('/') ? escaped : `${escaped}/`;
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const cut = pair.includes('=') ? pair.indexOf('=') : pair.length;
      return [unescapeQuery(pair.slice(0, cut)), unescapeQuery(pair.slice(cut + 1))];
    })
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${escapeStrictly(name)}=${escapeStrictly(value)}`)
    .join('&');
}

/** By code units, as signers sort; a locale's order would differ. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function unescapeQuery(part: string): string {
  return decodeURIComponent(part.replaceAll('+', ' '));
}

/** RFC 3986: only letters, digits and -._~ stay; encodeURIComponent leaves five more. */
function escapeStrictly(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
