import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.js';

export const MAX_URL_LENGTH = 2_048;

/**
 * What keeps us from sending anything to a URL that somebody gave us, as far as the URL itself shows it; what its name
 * resolves to is another question. Null: nothing.
 *
 * @param allowPrivate plain http and addresses that are not of the internet as well
 */
export function findOutboundUrlFault(raw: string, allowPrivate: boolean): string | null {
  if (raw.length > MAX_URL_LENGTH || !/^[\x21-\x7E]+$/.test(raw) || !URL.canParse(raw)) {
    return `must be a URL of at most ${MAX_URL_LENGTH} visible ASCII characters`;
  }
  const url = new URL(raw);
  const schemes = allowPrivate ? ['https:', 'http:'] : ['https:'];
  if (!schemes.includes(url.protocol)) return 'must be an https URL';
  if (url.username !== '' || url.password !== '') return 'must not hold a user or a password';
  if (url.hash !== '' || raw.endsWith('#')) return 'must not hold a fragment';
  return allowPrivate || mayBePublic(hostOf(url)) ? null : 'must lead to an address of the internet';
}

/** Without the brackets of an IPv6 address. The parser has made four numbers of whatever else is an IPv4 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function mayBePublic(host: string): boolean {
  // RFC 6761: loopback, whatever a resolver says.
  return isIP(host) > 0 ? isPublicAddress(host) : !/(^|\.)localhost\.?$/.test(host);
}
