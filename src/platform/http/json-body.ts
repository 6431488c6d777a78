import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { DomainError } from '../../domain/domain-error.js';
import { API_JSON_LIMITS, findJsonFault, type JsonLimits } from './json-scan.js';
import { fromStatus } from './public-error.js';

export const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

/** The only parser there is: Fastify answers 415 for every other content type, and for a body without one. */
export function useStrictJson(fastify: FastifyInstance, limits: JsonLimits = API_JSON_LIMITS): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES },
    (request, body: Buffer, done) => {
      try {
        if (!isUtf8Charset(request.headers['content-type'] ?? '')) throw fromStatus(415);
        done(null, parseJsonBody(body, limits));
      } catch (error) {
        // Fastify types the error for its own kind; the filter takes any.
        done(error as Error);
      }
    },
  );
}

/** @throws DomainError `malformed` for anything but one JSON object that means the same to every parser. */
export function parseJsonBody(body: Buffer, limits: JsonLimits = API_JSON_LIMITS): object {
  if (body.length === 0) throw malformed('The body is empty. Send a JSON object.');
  if (!isUtf8(body)) throw malformed('The body is not valid UTF-8.');
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
    throw malformed('The body begins with a byte order mark. Leave it out.');
  }
  const fault = findJsonFault(body, limits);
  if (fault !== null) throw malformed(fault);
  const value = parse(body.toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('The body is not a JSON object.');
  return value;
}

/** JSON has no charset parameter (RFC 8259), yet clients send one: it may say UTF-8 only. */
export function isUtf8Charset(contentType: string): boolean {
  const [, ...parameters] = contentType.split(';');
  return parameters.every((parameter) => {
    const [name = '', ...value] = parameter.split('=');
    return name.trim().toLowerCase() !== 'charset' || /^\s*("?)utf-?8\1\s*$/i.test(value.join('='));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the body; its position is the part that helps.
    const position = /position (\d+)/.exec(String(error))?.[1];
    throw malformed(`The body is not valid JSON${position === undefined ? '' : ` (at character ${position})`}.`);
  }
}

function malformed(detail: string): DomainError {
  return new DomainError('malformed', detail);
}
