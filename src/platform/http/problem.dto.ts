import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ERROR_CODES, type ErrorCode } from '../../domain/domain-error.js';

export class FieldErrorDto {
  @ApiProperty({ type: String }) path!: string;
  @ApiProperty({ type: String }) message!: string;
}

/** RFC 9457 problem details, as every route answers with when it cannot do what it was asked. */
export class ProblemDto {
  @ApiProperty({ type: String, description: 'A URN of the code.' }) type!: string;
  @ApiProperty({ type: String }) title!: string;
  @ApiProperty({ type: Number }) status!: number;
  @ApiProperty({ type: String, description: 'What is wrong, and what to do.' }) detail!: string;
  @ApiProperty({ enum: ERROR_CODES, description: 'Stable: write code against it.' }) code!: ErrorCode;
  @ApiProperty({ type: String, description: 'The id of the HTTP request, as in X-Request-Id and in the log.' })
  instance!: string;
  @ApiPropertyOptional({ type: [FieldErrorDto] }) errors?: FieldErrorDto[];
}
