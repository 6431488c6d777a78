import { expect, it } from '@jest/globals';
import { isPublicAddress } from '../../../../src/platform/outbound/public-address.js';

it.each([
  '1.1.1.1',
  '93.184.215.14',
  '8.8.8.8',
  '192.0.1.1',
  '100.63.255.255',
  '2606:4700::1111',
  '2a00:1450:4001::8a',
])('%s is of the internet', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

it.each([
  ['this network', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['loopback', '127.0.0.1'],
  ['loopback', '127.255.255.254'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['shared by a carrier', '100.64.0.1'],
  ["a cloud's metadata, in a carrier's range", '100.100.100.200'],
  ['link-local: metadata', '169.254.169.254'],
  ['a cloud host of its own kind', '168.63.129.16'],
  ['for protocols', '192.0.0.192'],
  ['for documents', '192.0.2.1'],
  ['for documents', '198.51.100.1'],
  ['for documents', '203.0.113.9'],
  ['a relay', '192.88.99.1'],
  ['for measuring', '198.18.0.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['unique-local', 'fd00:ec2::254'],
  ['unique-local', 'fc00::1'],
  ['once site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
  ['IPv4, mapped', '::ffff:127.0.0.1'],
  ['IPv4, mapped, though of the internet', '::ffff:8.8.8.8'],
  ['IPv4, compatible', '::7f00:1'],
  ['IPv4, compatible', '::8.8.8.8'],
  ['IPv4, translated', '::ffff:0:127.0.0.1'],
  ['IPv4 behind NAT64', '64:ff9b::7f00:1'],
  ['IPv4 behind a NAT64 of its own', '64:ff9b:1::a00:1'],
  ['IPv4 in 6to4', '2002:7f00:1::'],
  ['IPv4 in Teredo', '2001:0:7f00:1::'],
  ['for documents', '2001:db8::1'],
  ['for documents', '3fff::1'],
  ['outside of what is given out', '4000::1'],
  ['no address', 'localhost'],
  ['no address', ''],
])('%s is not: %s', (_why, address) => {
  expect(isPublicAddress(address)).toBe(false);
});
