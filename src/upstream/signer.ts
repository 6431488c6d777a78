import { createHash, createHmac } from 'node:crypto';

const ALGORITHM = 'SDK-HMAC-SHA256';

export interface SignableRequest {
  readonly method: string;
  /** As on the wire: encoded by `encodePath`, without the query. */
  readonly path: string;
  /** Unencoded. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** All of them are signed; `host` has to be among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SigningKey {
  readonly accessKey: string;
  readonly secretKey: string;
}

/**
 * Signs a request as the vendor's API gateway wants it (AK/SK signature, SDK-HMAC-SHA256): one HMAC with the raw secret key.
 * @param at the upstream's clock; its gateway refuses more than 15 minutes of difference.
 * @returns the headers to send: those given, with `x-sdk-date` and `authorization`.
 */
export function sign(request: SignableRequest, key: SigningKey, at: Date): Record<string, string> {
  const date = sdkDate(at);
  const headers = { ...request.headers, 'x-sdk-date': date };
  const signed = canonicalHeaders(headers);
  const names = signed.map(([name]) => name).join(';');
  const canonical = canonicalRequest({ ...request, headers }, signed);
  const signature = createHmac('sha256', key.secretKey)
    .update(`${ALGORITHM}\n${date}\n${sha256(canonical)}`)
    .digest('hex');
  return {
    ...headers,
    authorization: `${ALGORITHM} Access=${key.accessKey}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** For the published vector, which gives its hash: the request as the gateway rebuilds it. */
export function canonicalRequest(
  request: SignableRequest,
  signed: readonly (readonly [string, string])[] = canonicalHeaders(request.headers),
): string {
  return [
    request.method,
    // In the signature only: the slash is not sent.
    request.path.endsWith('/') ? request.path : `${request.path}/`,
    encodeQuery(request.query),
    signed.map(([name, value]) => `${name}:${value}\n`).join(''),
    signed.map(([name]) => name).join(';'),
    sha256(request.body),
  ].join('\n');
}

/** Sorted and strictly encoded; the same string is sent and signed. */
export function encodeQuery(query: SignableRequest['query']): string {
  return [...query]
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${encodeSegment(name)}=${encodeSegment(value)}`)
    .join('&');
}

/** @param segments unencoded; a slash within one is encoded as well. */
export function encodePath(segments: readonly string[]): string {
  return segments.map((segment) => `/${encodeSegment(segment)}`).join('');
}

/** RFC 3986: `encodeURIComponent` leaves `!'()*` as they are, the signature does not. */
function encodeSegment(raw: string): string {
  return encodeURIComponent(raw).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `2019-11-15T03:36:55.123Z` → `20191115T033655Z` */
function sdkDate(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}

function canonicalHeaders(headers: SignableRequest['headers']): [string, string][] {
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim()])
    .sort(([a], [b]) => compare(a, b));
}

/** By code units: an order by locale would differ from the gateway's. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
