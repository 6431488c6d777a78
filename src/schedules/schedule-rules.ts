import { parseDuration } from '../domain/duration.js';
import { SCAN_TYPES } from '../domain/scan-type.js';
import { BOUNDS, TRIGGER_TYPES } from '../domain/schedule.js';
import { rule } from '../platform/http/dto-rules.js';
import { ID_LENGTH, isUpstreamId } from '../platform/http/ids.js';
import { findLabelsFault } from '../platform/http/labels.js';
import { findCronFault } from './calendar.js';

type Fields = Readonly<Record<string, unknown>>;

export const IsScheduleName = (): PropertyDecorator =>
  rule('isScheduleName', (value) =>
    isText(value, BOUNDS.nameCharacters)
      ? null
      : `must be a text of 1 to ${BOUNDS.nameCharacters} printable characters`,
  );

export const IsDuration = ({ min, max }: { min: number; max: number }): PropertyDecorator =>
  rule('isDuration', (value) => findDurationFault(value, min, max));

export const IsCron = (): PropertyDecorator =>
  rule('isCron', (value) => {
    const fields = fieldsOf(value, ['expression', 'timezone']);
    if (typeof fields === 'string') return fields;
    const { expression, timezone } = fields;
    if (typeof expression !== 'string' || typeof timezone !== 'string')
      return 'must have texts: expression and timezone';
    return findCronFault({ expression, timezone });
  });

/** How often a cluster may be scanned again. */
export const IsPerCluster = (): PropertyDecorator =>
  rule('isPerCluster', (value) => {
    const fields = fieldsOf(value, ['triesPerDay', 'minPause']);
    if (typeof fields === 'string') return fields;
    const { triesPerDay, minPause } = fields;
    if (triesPerDay === undefined && minPause === undefined) return 'must have triesPerDay or minPause';
    if (triesPerDay !== undefined && !isWhole(triesPerDay, BOUNDS.triesPerDay)) {
      return `must have a whole number from 1 to ${BOUNDS.triesPerDay} as triesPerDay`;
    }
    const fault =
      minPause === undefined ? null : findDurationFault(minPause, BOUNDS.minPauseMs.min, BOUNDS.minPauseMs.max);
    return fault && `minPause ${fault}`;
  });

/** Scan tasks by their ids, or those of a time. */
export const IsSelection = (): PropertyDecorator => rule('isSelection', findSelectionFault);

function findSelectionFault(value: unknown): string | null {
  const fields = fieldsOf(value, ['taskIds', 'lookbackHours', 'namePattern', 'triggerType', 'scanTypes']);
  if (typeof fields === 'string') return fields;
  const { taskIds, lookbackHours, namePattern, triggerType, scanTypes } = fields;
  if ((taskIds === undefined) === (lookbackHours === undefined)) return 'must have either taskIds or lookbackHours';
  if (taskIds !== undefined) return findTaskIdsFault(taskIds, fields);
  if (!isWhole(lookbackHours, BOUNDS.lookbackHours)) {
    return `must have a whole number from 1 to ${BOUNDS.lookbackHours} as lookbackHours`;
  }
  if (namePattern !== undefined && !isText(namePattern, BOUNDS.nameCharacters)) {
    return `must have 1 to ${BOUNDS.nameCharacters} printable characters as namePattern`;
  }
  if (triggerType !== undefined && !isIn(TRIGGER_TYPES, triggerType)) {
    return `must have one of ${TRIGGER_TYPES.join(', ')} as triggerType`;
  }
  const isList =
    scanTypes === undefined || isDistinctList(scanTypes, SCAN_TYPES.length, (one) => isIn(SCAN_TYPES, one));
  return isList ? null : `must have different ones of ${SCAN_TYPES.join(', ')} as scanTypes`;
}

function findTaskIdsFault(taskIds: unknown, fields: Fields): string | null {
  if (Object.keys(fields).length > 1) return 'must have nothing beside taskIds';
  const isList = isDistinctList(taskIds, BOUNDS.taskIds, (one) => isUpstreamId(one, ID_LENGTH.task));
  return isList ? null : `must have 1 to ${BOUNDS.taskIds} different ids of scan tasks as taskIds`;
}

function findDurationFault(value: unknown, min: number, max: number): string | null {
  const ms = typeof value === 'string' ? parseDuration(value) : null;
  if (ms !== null && ms >= min && ms <= max) return null;
  return `must be a duration from ${written(min)} to ${written(max)}, such as 90s, 15m, 6h or 7d`;
}

/** The object's fields where it has no others; what is wrong with it otherwise. */
function fieldsOf(value: unknown, known: readonly string[]): Fields | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `must be an object`;
  const hasOthers = Object.keys(value).some((name) => !known.includes(name));
  return hasOthers ? `must have no fields but ${known.join(', ')}` : (value as Fields);
}

const isWhole = (value: unknown, max: number): boolean =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;

/** As a label's value: printable, and counted in characters. */
const isText = (value: unknown, max: number): boolean =>
  typeof value === 'string' &&
  value.trim() !== '' &&
  [...value].length <= max &&
  findLabelsFault({ text: value }) === null;

const isIn = (known: readonly string[], value: unknown): boolean => known.some((one) => one === value);

function isDistinctList(value: unknown, max: number, isGood: (one: unknown) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= max &&
    value.every(isGood) &&
    new Set(value).size === value.length
  );
}

function written(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1_000}s`;
}
