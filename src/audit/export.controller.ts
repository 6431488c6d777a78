import { Controller, Get, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../domain/domain-error.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { Exporter } from './exporter.js';
import { MEDIA_TYPES } from './export-format.js';
import { ExportQueryDto } from './export-query.dto.js';

@ApiTags('audit')
@ApiProblems(400, 401, 403, 404, 429, 503)
@NeedsScope('audit:read')
@Controller('v1/audit/export')
export class ExportController {
  constructor(private readonly exporter: Exporter) {}

  @Get()
  @ApiOperation({
    operationId: 'exportRecord',
    summary: 'All calls, targets or sealed events of your projects, as a stream that can be resumed',
  })
  @ApiOkResponse({
    description:
      'An answer that breaks off, instead of ending, is not all: ask again with the cursor of its last whole row.',
    content: { 'application/x-ndjson': { schema: { type: 'string' } }, 'text/csv': { schema: { type: 'string' } } },
  })
  async export(
    @Query() query: ExportQueryDto,
    @Caller() caller: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    refuseHttp10(request);
    const gzip = acceptsGzip(request.headers['accept-encoding']);
    const body = await this.exporter.open(query, gzip, caller);
    // A problem document in its place is not compressed.
    body.once('error', () => {
      if (!reply.raw.headersSent) reply.removeHeader('content-encoding');
    });
    reply.header('vary', 'Accept-Encoding');
    if (gzip) reply.header('content-encoding', 'gzip');
    const { kind, format } = query;
    return new StreamableFile(body, {
      type: MEDIA_TYPES[format],
      disposition: `attachment; filename="rescan-${kind}.${format}"`,
    });
  }
}

/** An answer over HTTP/1.0 ends where its connection does: nobody could tell one that broke off from a whole one. */
function refuseHttp10(request: FastifyRequest): void {
  if (request.raw.httpVersion !== '1.0') return;
  throw new DomainError('malformed', 'Ask over HTTP/1.1: HTTP/1.0 does not tell a part of an export from all of it.');
}

/** RFC 9110: named, or meant by `*`, and not with a weight of 0. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const weights = new Map(
    String(header ?? '')
      .toLowerCase()
      .split(',')
      .map((part) => part.split(';').map((text) => text.trim()))
      .map(([coding = '', weight = 'q=1']) => [coding, Number(weight.replace(/^q=/, ''))]),
  );
  return (weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0) > 0;
}
