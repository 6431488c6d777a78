/** The longest wait that an answer may impose: one absurd number must not stop anything for years. */
const MAX_WAIT_MS = 86_400_000;

/** @param value seconds or an HTTP date, which is read against the answer's own `Date`: the host's clock is another one. */
export function retryAfterMs(value: string | null, serverDate: Date | null): number | null {
  if (value === null) return null;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1_000), MAX_WAIT_MS);
  const until = parseHttpDate(text);
  if (!until || !serverDate) return null;
  return Math.min(Math.max(until.getTime() - serverDate.getTime(), 0), MAX_WAIT_MS);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** The one format that servers may send (RFC 9110, IMF-fixdate): `Date.parse` alone would read `5` as a date. */
export function parseHttpDate(value: string | null): Date | null {
  if (value === null || !HTTP_DATE.test(value.trim())) return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}
