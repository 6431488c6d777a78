import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, Matches } from 'class-validator';
import { CALL_STATES, type CallState } from '../domain/call.js';
import { CALL_EFFECTS, type CallEffect } from '../domain/verdict.js';
import {
  IsCallerName,
  IsClusterId,
  IsLabelText,
  IsProjectId,
  IsTaskId,
  MayBeAbsent,
  QueryInt,
  Rfc3339Date,
} from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class CallQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsTaskId()
  taskId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsClusterId()
  clusterId?: string;

  @ApiPropertyOptional({ enum: CALL_STATES })
  @MayBeAbsent()
  @IsIn(CALL_STATES)
  state?: CallState;

  @ApiPropertyOptional({
    enum: CALL_EFFECTS,
    description: '`phantom`: accepted by HSS, and never seen to do anything.',
  })
  @MayBeAbsent()
  @IsIn(CALL_EFFECTS)
  effect?: CallEffect;

  @ApiPropertyOptional({ type: String, example: 'APIGW.0308' })
  @MayBeAbsent()
  @Matches(/^\P{C}{1,64}$/u, { message: 'must be a text of 1 to 64 characters that can be seen' })
  errorCode?: string;

  @ApiPropertyOptional({ type: Number, minimum: 100, maximum: 599 })
  @MayBeAbsent()
  @QueryInt(100, 599)
  httpStatus?: number;

  @ApiPropertyOptional({ type: String, description: "The upstream's own id of the call." })
  @MayBeAbsent()
  @Matches(/^[\x21-\x7e]{1,128}$/, { message: 'must be a text of 1 to 128 visible ASCII characters' })
  upstreamRequestId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be the name of a credential' })
  credential?: string;

  @ApiPropertyOptional({ type: String, description: 'Who asked for at least one of its clusters.' })
  @MayBeAbsent()
  @IsCallerName()
  caller?: string;

  @ApiPropertyOptional({ type: String, example: 'team:billing', description: 'Of at least one of its requests.' })
  @MayBeAbsent()
  @IsLabelText()
  label?: string;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'Started at or after.' })
  @MayBeAbsent()
  @Rfc3339Date()
  since?: Date;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'Started before.' })
  @MayBeAbsent()
  @Rfc3339Date()
  until?: Date;
}
