import ipaddr from 'ipaddr.js';

/** All that the IANA gives out for hosts. What is outside of it, IPv4 in disguise for one, is no place to send anything to. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** Answers the machines of one cloud only, with what is meant for them alone, at an address that looks like any other. */
const HOST_SERVICES: readonly string[] = ['168.63.129.16'];

/**
 * Whether an address is one of the internet: not private, loopback, link-local (where clouds keep their metadata), shared by a
 * carrier, multicast or reserved, and no IPv6 address that holds an IPv4 one.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || HOST_SERVICES.includes(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST);
}
