import { ApiProperty } from '@nestjs/swagger';
import { CALLBACK_ERRORS, CALLBACK_STATES, type CallbackError, type CallbackState } from '../domain/callback.js';

export class CallbackDto {
  @ApiProperty({ type: String, description: "To others than the request's caller and operators, its origin alone." })
  url!: string;
  @ApiProperty({
    enum: CALLBACK_STATES,
    description: 'Waiting for the end of the request; pending until somebody takes it; delivered; or given up.',
  })
  state!: CallbackState;
  @ApiProperty({ type: String, description: 'The webhook-id of all its tries: who gets it twice knows it by this.' })
  messageId!: string;
  @ApiProperty({ type: Number }) tries!: number;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Null where none is to come, and while one is out.',
  })
  nextTryAt!: Date | null;
  @ApiProperty({ type: String, format: 'date-time' }) createdAt!: Date;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'When it was delivered or given up.' })
  finishedAt!: Date | null;
}

export class CallbackTryDto {
  @ApiProperty({ type: Number }) number!: number;
  @ApiProperty({ type: String, format: 'date-time' }) startedAt!: Date;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) finishedAt!: Date | null;
  @ApiProperty({ type: Number, nullable: true, description: 'Null where no answer came.' }) httpStatus!: number | null;
  @ApiProperty({ enum: CALLBACK_ERRORS, nullable: true, description: 'Null where it was taken, and while it is out.' })
  errorCode!: CallbackError | null;
  @ApiProperty({ type: Number, nullable: true }) durationMs!: number | null;
}

export class RequestCallbackPageDto {
  @ApiProperty({ type: CallbackDto, nullable: true, description: 'Null where the request has no callbackUrl.' })
  callback!: CallbackDto | null;
  @ApiProperty({ type: [CallbackTryDto], description: 'Its tries, newest first.' }) items!: CallbackTryDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
