const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** @returns the origin, without a trailing slash; scheme-less means https. Otherwise what is wrong, without the value. */
export function parseOrigin(raw: string): { readonly origin: string } | { readonly problem: string } {
  const text = SCHEME.test(raw) ? raw : `https://${raw}`;
  if (!URL.canParse(text)) return { problem: 'must be a URL such as https://hss.ap-southeast-1.myhuaweicloud.com' };
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'must be an https URL' };
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    return { problem: 'plain http is for this host only (localhost, 127.0.0.1, [::1]): use https' };
  }
  if (url.username !== '' || url.password !== '') return { problem: 'must not hold a user or a password' };
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return { problem: 'must end after host and port' };
  return { origin: url.origin };
}
