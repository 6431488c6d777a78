import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { SummaryDto, SummaryQueryDto } from './summary.dto.js';
import { SummaryReader } from './summary-reader.js';

@ApiTags('audit')
@ApiProblems(400, 401, 403, 404, 503)
@NeedsScope('audit:read')
@Controller('v1/audit/summary')
export class SummaryController {
  constructor(private readonly summary: SummaryReader) {}

  @Get()
  @ApiOperation({
    operationId: 'summarize',
    summary: 'What became of targets and calls: counts, success, times and calls used, by what you choose',
    description: 'Counted when events are sealed, a few seconds after they happened.',
  })
  @ApiOkResponse({ type: SummaryDto })
  read(@Query() query: SummaryQueryDto, @Caller() caller: Principal): Promise<SummaryDto> {
    return this.summary.read(query, caller);
  }
}
