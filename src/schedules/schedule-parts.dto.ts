import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { SCAN_TYPES } from '../domain/scan-type.js';
import { BOUNDS, TRIGGER_TYPES } from '../domain/schedule.js';

export class CronDto {
  @ApiProperty({ type: String, example: '30 2 * * MON-FRI', description: 'Minute, hour, day, month, weekday.' })
  expression!: string;
  @ApiProperty({ type: String, example: 'Europe/Berlin', description: 'An IANA time zone.' }) timezone!: string;
}

export class PerClusterDto {
  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: BOUNDS.triesPerDay, description: 'Within 24 hours.' })
  triesPerDay?: number;
  @ApiPropertyOptional({ type: String, example: '2h', description: 'Since its last try.' }) minPause?: string;
}

export const selectionSchema: ApiPropertyOptions = {
  type: 'object',
  additionalProperties: false,
  description:
    'Scan tasks by id, or those created within the last hours. `namePattern` is a part of the name. With `scanTypes`, only ' +
    'failures of these count, and only these are scanned again.',
  properties: {
    taskIds: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: BOUNDS.taskIds },
    lookbackHours: { type: 'integer', minimum: 1, maximum: BOUNDS.lookbackHours },
    namePattern: { type: 'string', minLength: 1, maxLength: BOUNDS.nameCharacters },
    triggerType: { type: 'string', enum: [...TRIGGER_TYPES] },
    scanTypes: { type: 'array', items: { type: 'string', enum: [...SCAN_TYPES] } },
  },
};
