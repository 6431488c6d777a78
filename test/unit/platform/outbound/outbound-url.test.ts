import { describe, expect, it } from '@jest/globals';
import { findOutboundUrlFault, hostOf } from '../../../../src/platform/outbound/outbound-url.js';

const isUrl = 'must be a URL of at most 2048 visible ASCII characters';
const isHttps = 'must be an https URL';
const isPublic = 'must lead to an address of the internet';

describe('a URL that is told to nobody', () => {
  it.each([
    ['', isUrl],
    ['caller.example', isUrl],
    ['/told', isUrl],
    ['https://', isUrl],
    ['https://caller.example/ told', isUrl],
    ['https://cäller.example/', isUrl],
    ['https://caller.example/\n', isUrl],
    [`https://caller.example/${'x'.repeat(2_026)}`, isUrl],
    ['http://caller.example/', isHttps],
    ['ftp://caller.example/', isHttps],
    ['file:///etc/passwd', isHttps],
    ['javascript:alert(1)', isHttps],
    ['https://user@caller.example/', 'must not hold a user or a password'],
    ['https://:password@caller.example/', 'must not hold a user or a password'],
    ['https://caller.example/#part', 'must not hold a fragment'],
    ['https://caller.example/#', 'must not hold a fragment'],
    ['https://127.0.0.1/', isPublic],
    ['https://2130706433/', isPublic],
    ['https://0x7f.1/', isPublic],
    ['https://0177.0.0.1./', isPublic],
    ['https://10.1.2.3:8443/', isPublic],
    ['https://169.254.169.254/latest/meta-data', isPublic],
    ['https://[::1]/', isPublic],
    ['https://[::ffff:10.0.0.1]/', isPublic],
    ['https://[fd00::1]/', isPublic],
    ['https://localhost/', isPublic],
    ['https://LOCALHOST./', isPublic],
    ['https://api.localhost/', isPublic],
  ])('%s', (url, fault) => {
    expect(findOutboundUrlFault(url, false)).toBe(fault);
  });
});

it.each([
  'https://caller.example/told?token=x',
  'https://1.1.1.1/',
  'https://[2606:4700::1111]:8443/',
  'HTTPS://Caller.Example',
])('one that may be: %s', (url) => {
  expect(findOutboundUrlFault(url, false)).toBeNull();
});

it('may be private, and plain http, only where configuration says so', () => {
  for (const url of ['http://127.0.0.1:8080/', 'https://localhost/', 'http://told.intranet/']) {
    expect(findOutboundUrlFault(url, true)).toBeNull();
  }
  expect(findOutboundUrlFault('ftp://told.intranet/', true)).toBe(isHttps);
  expect(findOutboundUrlFault('http://user@told.intranet/', true)).toBe('must not hold a user or a password');
});

it('names the host as a resolver wants it', () => {
  expect(hostOf(new URL('https://[::1]:8443/'))).toBe('::1');
  expect(hostOf(new URL('https://Caller.Example/'))).toBe('caller.example');
});
