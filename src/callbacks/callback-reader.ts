import { Injectable } from '@nestjs/common';
import { messageIdOf, type CallbackState } from '../domain/callback.js';
import { bigintCursor, toPage } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { CallbackDto, CallbackTryDto, RequestCallbackPageDto } from './callback.dto.js';

interface CallbackRow {
  projectId: string;
  caller: string;
  url: string | null;
  origin: string;
  state: CallbackState;
  tries: number;
  nextTryAt: Date | null;
  createdAt: Date;
  finishedAt: Date | null;
}

@Injectable()
export class CallbackReader {
  constructor(private readonly prisma: PrismaService) {}

  /** Tries newest first. @throws DomainError `not_found`, also for what belongs to other projects */
  async ofRequest(
    requestId: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string },
    principal: Principal,
  ): Promise<RequestCallbackPageDto> {
    const before = bigintCursor(cursor);
    const callback = await this.callback(requestId, principal);
    const rows = await this.prisma.$queryRaw<CallbackTryDto[]>`
      SELECT number, started_at AS "startedAt", finished_at AS "finishedAt", http_status AS "httpStatus",
             error_code AS "errorCode", duration_ms AS "durationMs"
        FROM callback_try
       WHERE request_id = ${requestId}::uuid AND number < coalesce(${before}::bigint, 2147483648)
       ORDER BY number DESC LIMIT ${limit + 1}::int`;
    return { callback, ...toPage(rows, limit, ({ number }) => String(number)) };
  }

  private async callback(requestId: string, principal: Principal): Promise<CallbackDto | null> {
    const [found] = await this.prisma.$queryRaw<CallbackRow[]>`
      SELECT r.project_id AS "projectId", r.caller, c.url, c.origin, c.state::text AS state, c.tries,
             CASE WHEN t.started_at IS NULL OR t.finished_at IS NOT NULL THEN c.due_at END AS "nextTryAt",
             c.created_at AS "createdAt", c.finished_at AS "finishedAt"
        FROM any_request AS r LEFT JOIN callback AS c ON c.request_id = r.id
        LEFT JOIN callback_try AS t ON t.request_id = c.request_id AND t.number = c.tries
       WHERE r.id = ${requestId}::uuid`;
    const row = own(found, principal);
    return row.url === null ? null : toCallback(requestId, { ...row, url: row.url }, principal);
  }
}

function toCallback(requestId: string, row: CallbackRow & { url: string }, principal: Principal): CallbackDto {
  const { caller, url, origin, state, tries, nextTryAt, createdAt, finishedAt } = row;
  // It may hold a secret of the caller's.
  const isOwn = caller === principal.caller || principal.scopes.includes('ops');
  return {
    url: isOwn ? url : origin,
    state,
    messageId: messageIdOf(requestId),
    tries,
    nextTryAt,
    createdAt,
    finishedAt,
  };
}
