import { Injectable } from '@nestjs/common';
import type { CallbackDecision, CallbackError } from '../domain/callback.js';
import type { RequestState } from '../domain/request.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import type { TakenCallback } from './callback-turns.js';

/** The request as its end left it. */
export interface EndedRequest {
  readonly id: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly state: RequestState;
  readonly labels: unknown;
  readonly createdAt: Date;
  readonly finishedAt: Date;
  readonly counts: Readonly<Record<string, number>>;
}

export interface TryEnd {
  readonly httpStatus: number | null;
  readonly error: CallbackError | null;
  readonly durationMs: number;
}

const HEAD = {
  id: true,
  scanTaskId: true,
  projectId: true,
  state: true,
  labels: true,
  createdAt: true,
  finishedAt: true,
} as const;

const COUNTS = {
  total: true,
  waiting: true,
  sending: true,
  unknown: true,
  accepted: true,
  succeeded: true,
  scanFailed: true,
  notFailed: true,
  notFound: true,
  rejected: true,
  exhausted: true,
  expired: true,
  cancelled: true,
  unverified: true,
} as const;

/** With its request; `applyMoves` makes it due with the request's end. */
export async function insertCallback(tx: Tx, requestId: string, caller: string, url: string): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO callback (request_id, caller, url, origin)
    VALUES (${requestId}::uuid, ${caller}, ${url}, ${new URL(url).origin})`;
}

@Injectable()
export class CallbackLedger {
  constructor(private readonly prisma: PrismaService) {}

  async anyDue(): Promise<boolean> {
    const [row] = await this.prisma.$queryRaw<{ due: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM callback WHERE due_at <= (SELECT rescan_now())) AS due`;
    return row?.due ?? false;
  }

  /** Whether somebody wants to be told of the end of one of these. */
  async anyToTell(requestIds: readonly string[]): Promise<boolean> {
    const [row] = await this.prisma.$queryRaw<{ any: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM callback
                      WHERE request_id = ANY(${[...requestIds]}::uuid[]) AND state = 'pending') AS any`;
    return row?.any ?? false;
  }

  async endedRequest(tx: Tx, requestId: string): Promise<EndedRequest> {
    const request = await tx.request.findUniqueOrThrow({ where: { id: requestId }, select: { ...HEAD, ...COUNTS } });
    const { id, scanTaskId, projectId, state, labels, createdAt, finishedAt, ...counts } = request;
    if (!finishedAt) throw new Error('a callback is due, and its request is open');
    const task = await tx.scanTask.findUniqueOrThrow({
      where: { id: scanTaskId },
      select: { taskId: true, enterpriseProjectId: true },
    });
    return { id, projectId, ...task, state, labels, createdAt, finishedAt, counts };
  }

  /** How old the request's end is, if this try still counts: locks it, so that its end can be decided on. */
  async lockTry(tx: Tx, { requestId, number }: TakenCallback): Promise<{ ageMs: number } | null> {
    const [row] = await tx.$queryRaw<{ ageMs: number }[]>`
      SELECT extract(epoch FROM (SELECT rescan_now()) - r.finished_at)::float8 * 1000 AS "ageMs"
        FROM callback AS c JOIN request AS r ON r.id = c.request_id
       WHERE c.request_id = ${requestId}::uuid AND c.tries = ${number}::int AND c.state = 'pending' FOR UPDATE OF c`;
    return row ?? null;
  }

  /** Needs `lockTry` before it. @returns when the next try is due */
  async endTry(tx: Tx, taken: TakenCallback, end: TryEnd, decision: CallbackDecision): Promise<Date | null> {
    const { requestId, number } = taken;
    await tx.$executeRaw`
      UPDATE callback_try
         SET finished_at = rescan_now(), http_status = ${end.httpStatus}::smallint, error_code = ${end.error},
             duration_ms = ${end.durationMs}::int
       WHERE request_id = ${requestId}::uuid AND number = ${number}::int`;
    const [row] = await tx.$queryRaw<{ dueAt: Date | null }[]>`
      WITH clock AS MATERIALIZED (SELECT rescan_now() AS now)
      UPDATE callback
         SET state = ${decision.kind === 'again' ? 'pending' : decision.kind}::callback_state,
             due_at = now + ${decision.kind === 'again' ? decision.waitMs : null}::float8 * interval '1 ms',
             finished_at = CASE WHEN ${decision.kind !== 'again'} THEN now END
        FROM clock WHERE request_id = ${requestId}::uuid
      RETURNING due_at AS "dueAt"`;
    return row?.dueAt ?? null;
  }
}
