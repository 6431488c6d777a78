import { Body, Controller, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RedactionLedger } from '../ledger/redactions.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { noSuchThing, PathSha256 } from '../platform/http/path-id.js';
import { otherProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { RedactTextDto } from './redact-text.dto.js';

@ApiTags('audit')
@ApiProblems(400, 401, 403, 404, 415, 503)
@Controller('v1/audit/texts')
export class TextsController {
  constructor(private readonly redactions: RedactionLedger) {}

  @Post(':hash/redact')
  @HttpCode(HttpStatus.NO_CONTENT)
  @NeedsScope('ops')
  @ApiOperation({
    operationId: 'redactText',
    summary: 'Take a text of the upstream out of the record for good; the chains of events still verify',
  })
  @ApiNoContentResponse()
  async redact(
    @Param('hash', PathSha256) hash: string,
    @Body() { reason }: RedactTextDto,
    @Caller() caller: Principal,
  ): Promise<void> {
    const isWithin = await this.redactions.isWithin(hash, caller.projects);
    if (isWithin === null) throw noSuchThing();
    if (!isWithin) throw otherProject();
    await this.redactions.redact(hash, reason, caller);
  }
}
