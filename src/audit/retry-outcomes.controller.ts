import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Prisma } from '../generated/prisma/client.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { RetryOutcomeDto, RetryOutcomeListDto, RetryOutcomeQueryDto } from './retry-outcome.dto.js';

const MAX_ROWS = 500;

@ApiTags('audit')
@ApiProblems(400, 401, 403, 404, 503)
@NeedsScope('requests:read', 'audit:read', 'ops')
@Controller('v1/retry-outcomes')
export class RetryOutcomesController {
  constructor(private readonly prisma: RecordPrisma) {}

  @Get()
  @ApiOperation({
    operationId: 'listRetryOutcomes',
    summary: 'How often a retry helped, by scan item, reason of its failure and round',
  })
  @ApiOkResponse({ type: RetryOutcomeListDto })
  async list(@Query() { projectId }: RetryOutcomeQueryDto, @Caller() caller: Principal): Promise<RetryOutcomeListDto> {
    if (projectId !== undefined) requireProject(projectId, caller);
    const projects = projectId === undefined ? caller.projects : [projectId];
    const ofProjects = projects === '*' ? Prisma.sql`true` : Prisma.sql`project_id = ANY(${[...projects]}::text[])`;
    const items = await this.prisma.$queryRaw<RetryOutcomeDto[]>`
      SELECT scan_type AS "scanType", reason, round::int AS round, sum(tried)::int AS tried, sum(succeeded)::int AS succeeded
        FROM retry_outcome WHERE ${ofProjects} GROUP BY scan_type, reason, round
       ORDER BY sum(tried) DESC, scan_type, reason, round LIMIT ${MAX_ROWS}::int`;
    return { items };
  }
}
