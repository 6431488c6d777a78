import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { HeadKeyListDto, HeadPageDto, HeadQueryDto } from './head.dto.js';
import { HeadReader } from './head-reader.js';

@ApiTags('audit')
@ApiProblems(401, 403, 503)
@NeedsScope('audit:read')
@Controller('v1/audit')
export class HeadsController {
  constructor(private readonly heads: HeadReader) {}

  @Get('heads')
  @ApiOperation({
    operationId: 'listSealHeads',
    summary: "Signed heads of a project's chain of events, newest first: keep some elsewhere",
  })
  @ApiOkResponse({ type: HeadPageDto })
  @ApiProblems(400, 404)
  list(@Query() query: HeadQueryDto, @Caller() caller: Principal): Promise<HeadPageDto> {
    return this.heads.list(query, caller);
  }

  @Get('keys')
  @ApiOperation({ operationId: 'listSealKeys', summary: 'The public keys that heads were signed with' })
  @ApiOkResponse({ type: HeadKeyListDto })
  async keys(): Promise<HeadKeyListDto> {
    return { items: await this.heads.keys() };
  }
}
