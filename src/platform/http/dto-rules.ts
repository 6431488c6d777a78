import { applyDecorators } from '@nestjs/common';
import { ValidateBy, ValidateIf } from 'class-validator';
import { MOST_CALLS } from '../../domain/learned-limit.js';
import { MAX_URL_LENGTH } from '../outbound/outbound-url.js';
import { ConvertText } from './convert-text.js';
import { ID_LENGTH, isUpstreamId } from './ids.js';
import { findLabelsFault } from './labels.js';
import { parseRfc3339 } from './rfc3339.js';

/** The field may be absent. Unlike class-validator's `IsOptional`, null is a value, and a wrong one. */
export const MayBeAbsent = (): PropertyDecorator => ValidateIf((_dto, value) => value !== undefined);

export const IsProjectId = (): PropertyDecorator => isId('isProjectId', ID_LENGTH.project);
export const IsEnterpriseProjectId = (): PropertyDecorator =>
  isId('isEnterpriseProjectId', ID_LENGTH.enterpriseProject);
export const IsTaskId = (): PropertyDecorator => isId('isTaskId', ID_LENGTH.task);
export const IsClusterId = (): PropertyDecorator => isId('isClusterId', ID_LENGTH.cluster);

/** 1 to `maxItems` cluster ids, in one pass: class-validator's `each` takes ten times as long and lists every bad item. */
export const IsIdArray = (maxItems: number, maxLength: number = ID_LENGTH.cluster): PropertyDecorator =>
  rule('isIdArray', (value) => findIdArrayFault(value, maxItems, maxLength));

/** At most 20 labels: keys of 1 to 63, values of up to 255 printable characters. */
export const IsLabels = (): PropertyDecorator => rule('isLabels', findLabelsFault);

/** A label as one text, `key:value`. A key may have a colon: then it is a label of two meanings, and both are meant. */
export const IsLabelText = (): PropertyDecorator =>
  rule('isLabelText', (value) => {
    const colon = typeof value === 'string' ? value.indexOf(':') : -1;
    const label = colon > 0 ? { [String(value).slice(0, colon)]: String(value).slice(colon + 1) } : null;
    return findLabelsFault(label) === null ? null : 'must be a label: key:value';
  });

/** As keys name them. */
export const IsCallerName = (): PropertyDecorator =>
  rule('isCallerName', (value) =>
    typeof value === 'string' && CALLER_NAME.test(value) ? null : 'must be 1 to 64 letters, digits, - _ or .',
  );

const CALLER_NAME = /^[\w.-]{1,64}$/;

/** Text that may be a URL; whether it is one that may be used, configuration says. */
export const IsUrlText = (): PropertyDecorator =>
  rule('isUrlText', (value) =>
    typeof value === 'string' && value.length >= 1 && value.length <= MAX_URL_LENGTH
      ? null
      : `must be a text of 1 to ${MAX_URL_LENGTH} characters`,
  );

/** Calls a window; null: none told. */
export const IsLimit = (): PropertyDecorator =>
  rule('isLimit', (value) =>
    value === null || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_CALLS)
      ? null
      : `must be a whole number from 1 to ${MOST_CALLS}, or null`,
  );

/** At most 100 callers with a weight each. */
export const IsWeights = (): PropertyDecorator => rule('isWeights', findWeightsFault);

/** A strict RFC 3339 date-time, which the DTO holds as a `Date`. */
export const Rfc3339Date = (): PropertyDecorator =>
  applyDecorators(
    ConvertText(parseRfc3339),
    rule('rfc3339Date', (value) =>
      value instanceof Date ? null : 'must be an RFC 3339 date-time with an offset, such as 2030-01-31T12:00:00Z',
    ),
  );

/** A whole number in a query string: plain digits, nothing else that `Number()` would take. */
export const QueryInt = (min: number, max: number): PropertyDecorator =>
  applyDecorators(
    ConvertText((text) => (/^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : null)),
    rule('queryInt', (value) =>
      typeof value === 'number' && value >= min && value <= max ? null : `must be a whole number from ${min} to ${max}`,
    ),
  );

function isId(name: string, maxLength: number): PropertyDecorator {
  return rule(name, (value) => (isUpstreamId(value, maxLength) ? null : idRule(maxLength)));
}

function findWeightsFault(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object: caller to weight';
  const entries = Object.entries(value);
  if (entries.length < 1 || entries.length > 100) return 'must name 1 to 100 callers';
  const bad = entries.some(
    ([caller, weight]) =>
      !/^[\w.-]{1,64}$/.test(caller) || typeof weight !== 'number' || !(weight >= 0.01 && weight <= 100),
  );
  return bad ? 'must give each caller (1 to 64 letters, digits, - _ or .) a number from 0.01 to 100' : null;
}

function findIdArrayFault(value: unknown, maxItems: number, maxLength: number): string | null {
  if (!Array.isArray(value) || value.length < 1 || value.length > maxItems) {
    return `must be a list of 1 to ${maxItems} ids`;
  }
  const bad = value.findIndex((id: unknown) => !isUpstreamId(id, maxLength));
  return bad === -1 ? null : `item ${bad} ${idRule(maxLength)}`;
}

function idRule(maxLength: number): string {
  return `must be a text of 1 to ${maxLength} visible ASCII characters, and neither . nor ..`;
}

export function rule(name: string, findFault: (value: unknown) => string | null): PropertyDecorator {
  return ValidateBy({
    name,
    validator: {
      validate: (value) => findFault(value) === null,
      defaultMessage: (args) => findFault(args?.value) ?? 'is not valid',
    },
  });
}
