/** Stands in for a secret while a text is worked on: control characters are gone by then, so no text can contain it. */
const MARK = '\u0000';

/** Postgres refuses it, and Prisma changes it silently. */
const LONE_SURROGATE = /\p{Cs}/gu;

/** Longer than any id the upstream uses (64), and the alphabet of tokens, signatures and keys: part of one, or one we never knew. */
const KEY_MATERIAL = /[\w+/=-]{65,}/g;

/** What follows these names is a secret, whatever it looks like. A text such as `x-auth-token not found` has no sign after the name. */
const NAMED_SECRET =
  /\b(token|authorization|access|signature|password|secret)(["']?\s*[=:]\s*["']?)(?:(?:bearer|basic|sdk-hmac-sha256)\s+)?[^\s,;"'}\]]+/gi;

/**
 * A text from outside that may be stored, logged and shown: one line, well-formed, no control or invisible characters, none of the
 * given secrets nor anything that looks like one, at most `limit` characters.
 */
export function safeText(raw: string, secrets: readonly string[], limit: number): string | null {
  return safeTexts(secrets, limit)(raw);
}

/** The same for many texts: how a secret may be spelled is worked out once, which takes a while for a token of 32,768 characters. */
export function safeTexts(secrets: readonly string[], limit: number): (raw: string) => string | null {
  const known = secrets.flatMap(spellings).sort((a, b) => b.length - a.length);
  return (raw) => {
    const clean = redact(oneLine(raw), known);
    // By code points: a cut through a surrogate pair would make the text unstorable.
    const text = [...clean].slice(0, limit).join('').trim();
    return text === '' ? null : text;
  };
}

function oneLine(raw: string): string {
  return raw
    .replace(LONE_SURROGATE, '\uFFFD')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\p{Cf}/gu, '')
    .replace(/ {2,}/g, ' ')
    .trim();
}

/**
 * Before any cut: half a secret would not be recognised any more.
 * @param known in all their spellings, the longest first.
 */
function redact(text: string, known: readonly string[]): string {
  const marked = known.reduce((left, spelling) => left.replaceAll(spelling, MARK), text);
  return marked
    .replace(NAMED_SECRET, (_match, name: string, sign: string) => `${name}${sign}${MARK}`)
    .replace(KEY_MATERIAL, MARK)
    .replaceAll(MARK, '[secret]');
}

/** As it is, and as an answer may quote it: percent-encoded, with JSON's optional and mandatory escapes, in HTML. */
function spellings(secret: string): readonly string[] {
  if (secret === '') return [];
  const inJson = JSON.stringify(secret).slice(1, -1);
  const inHtml = secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
  return [
    ...new Set([
      secret,
      encodeURIComponent(secret.replace(LONE_SURROGATE, '\uFFFD')),
      inJson,
      inJson.replaceAll('/', '\\/'),
      inHtml,
    ]),
  ];
}
