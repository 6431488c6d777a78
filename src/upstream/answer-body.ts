import { isJsonObject, parseJsonObject, withoutMark, type JsonObject } from './json.js';

/** What a body says of an error, in whichever of the upstream's shapes. */
export interface AnswerBody {
  readonly code: string | null;
  /** Not cleaned: it may be long, and may quote a secret. */
  readonly text: string;
  readonly requestId: string | null;
}

/**
 * Reads the gateway's, HSS's, old HSS's and IAM's error bodies; of anything else (HTML, plain text, the head of a body that was too
 * long) whatever can be had.
 */
export function readAnswerBody(raw: string): AnswerBody {
  const body = withoutMark(raw);
  const json = parseJsonObject(body);
  if (json) return fromJson(json, body);
  if (body.startsWith('{')) return fromFragment(body);
  return { code: null, text: body.startsWith('<') ? withoutTags(body) : body, requestId: null };
}

/** Null where a body names no error, or names it with nothing: `"error_code": null` stands in answers that are well. */
export function errorCodeOf(json: JsonObject): string | null {
  return asText(json['error_code']) ?? asText(nestedError(json)['code']);
}

function fromJson(json: JsonObject, body: string): AnswerBody {
  const text =
    asText(json['error_msg']) ?? asText(json['error_description']) ?? asText(nestedError(json)['message']) ?? body;
  return {
    code: errorCodeOf(json),
    text: text === '{}' ? '' : text,
    requestId: asText(json['request_id']),
  };
}

/** The field as it stands in the text: an unescaped quote before its name tells it from a quotation inside a string. */
function fromFragment(body: string): AnswerBody {
  const field = (name: string): string | null =>
    new RegExp(`(?<!\\\\)"${name}"\\s*:\\s*"([^"\\\\]{1,2000})"`).exec(body)?.[1] ?? null;
  return {
    code: field('error_code'),
    text: field('error_msg') ?? field('error_description') ?? body,
    requestId: field('request_id'),
  };
}

function nestedError(json: JsonObject): JsonObject {
  return isJsonObject(json['error']) ? json['error'] : {};
}

function asText(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** `[^<>]` and not `[^>]`: a body of nothing but `<` would take quadratic time. */
function withoutTags(html: string): string {
  return html.replace(/<[^<>]*>/g, ' ').trim();
}
