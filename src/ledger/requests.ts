import { Injectable } from '@nestjs/common';
import type { Estimate } from '../domain/estimate.js';
import { priorityRank } from '../domain/priority.js';
import type { RequestSource, Submission } from '../domain/request.js';
import { toMask } from '../domain/scan-type.js';
import type { TargetResult } from '../domain/target.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { insertCallback } from './callbacks.js';
import { applyMoves, lockRequests } from './counts.js';

/** Who submits, and with which key. */
export interface Submitter {
  readonly caller: string;
  readonly keyId: string;
}

/** Belongs to one caller; the fingerprint is that of the body's meaning. */
export interface IdempotencyKey {
  readonly caller: string;
  readonly key: string;
  readonly fingerprint: Uint8Array<ArrayBuffer>;
  readonly retentionMs: number;
}

export interface NewRequest {
  readonly id: string;
  readonly submission: Submission;
  readonly submitter: Submitter;
  readonly source: RequestSource;
  readonly replayOf: string | null;
  readonly maxAgeMs: number;
  /** What its caller is told of its way. */
  readonly promised: Estimate | null;
}

@Injectable()
export class RequestLedger {
  constructor(private readonly prisma: PrismaService) {}

  /** The request and its targets, in as many statements for one cluster as for 100,000. */
  async insert(tx: Tx, request: NewRequest): Promise<{ scanTaskId: bigint }> {
    const { id, submission, submitter } = request;
    const clusterIds = submission.range === 'specific_cluster' ? submission.clusterIds : [null];
    // A scan task that another transaction is just making is not visible to the first statement: it is, to the second.
    const row =
      (await this.insertRow(tx, request, clusterIds.length)) ?? (await this.insertRow(tx, request, clusterIds.length));
    if (!row) throw new Error('a request without its scan task');
    await tx.$executeRaw`
      INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, due_at)
      SELECT r.id, r.scan_task_id, r.priority, cluster_id, r.scan_types, r.next_due_at
        FROM request AS r CROSS JOIN unnest(${[...clusterIds]}::text[]) AS cluster_id
       WHERE r.id = ${id}::uuid ORDER BY cluster_id`;
    await tx.$executeRaw`
      INSERT INTO event (kind, actor, key_id, project_id, request_id, data)
      VALUES ('request.submitted', ${submitter.caller}, ${submitter.keyId}::uuid, ${submission.projectId}, ${id}::uuid,
              ${asked(request, clusterIds.length)}::jsonb)`;
    if (submission.callbackUrl !== null) await insertCallback(tx, id, submitter.caller, submission.callbackUrl);
    return row;
  }

  private async insertRow(tx: Tx, request: NewRequest, total: number): Promise<{ scanTaskId: bigint } | null> {
    const { submission, submitter } = request;
    const [row] = await tx.$queryRaw<{ scanTaskId: bigint }[]>`
      WITH clock AS MATERIALIZED (SELECT rescan_now() AS now),
      known AS (INSERT INTO project (id) VALUES (${submission.projectId}) ON CONFLICT DO NOTHING),
      made AS (
        INSERT INTO scan_task (project_id, task_id, enterprise_project_id)
        VALUES (${submission.projectId}, ${submission.taskId}, ${submission.enterpriseProjectId})
        ON CONFLICT DO NOTHING RETURNING id),
      task AS (
        SELECT id FROM made UNION ALL
        SELECT id FROM scan_task WHERE project_id = ${submission.projectId} AND task_id = ${submission.taskId}
                                   AND enterprise_project_id = ${submission.enterpriseProjectId} LIMIT 1)
      INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, max_rounds, labels, source, replay_of, promised,
                           deadline, expires_at, resolved, next_due_at, created_at, total, waiting)
      SELECT ${request.id}::uuid, task.id, ${submission.projectId}, ${submitter.caller}, ${submitter.keyId}::uuid,
             ${submission.range}::request_range, ${toMask(submission.scanTypes)}::smallint,
             ${priorityRank(submission.priority)}::smallint, ${submission.maxRounds}::smallint, ${submission.labels as object}::jsonb,
             ${request.source}::request_source, ${request.replayOf}::uuid,
             ${request.promised === null ? null : JSON.stringify(request.promised)}::jsonb, ${submission.deadline}::timestamptz,
             least(${submission.deadline}::timestamptz, now + ${request.maxAgeMs}::float8 * interval '1 ms'),
             ${submission.range === 'specific_cluster'}, now, now, ${total}::int, ${total}::int
        FROM task CROSS JOIN clock
      RETURNING scan_task_id AS "scanTaskId"`;
    return row ?? null;
  }

  /**
   * Takes the key, and with it the id of the request to come; or says which request has it. Waits for a transaction that is just
   * taking the same key, so that two at once get the same answer.
   */
  async takeKey(tx: Tx, key: IdempotencyKey): Promise<{ requestId: string; fresh: boolean; fingerprint: Uint8Array }> {
    const [taken] = await tx.$queryRaw<{ requestId: string }[]>`
      INSERT INTO idempotency_key (caller, key, fingerprint, request_id, expires_at)
      VALUES (${key.caller}, ${key.key}, ${key.fingerprint}, uuidv7(), rescan_now() + ${key.retentionMs}::float8 * interval '1 ms')
      ON CONFLICT (caller, key) DO UPDATE
         SET fingerprint = excluded.fingerprint, request_id = excluded.request_id, expires_at = excluded.expires_at
       WHERE idempotency_key.expires_at <= (SELECT rescan_now())
      RETURNING request_id AS "requestId"`;
    if (taken) return { ...taken, fresh: true, fingerprint: key.fingerprint };
    const [first] = await tx.$queryRaw<{ requestId: string; fingerprint: Uint8Array }[]>`
      SELECT request_id AS "requestId", fingerprint FROM idempotency_key
       WHERE caller = ${key.caller} AND key = ${key.key}`;
    // It ran out, and was swept away between the two.
    return first ? { ...first, fresh: false } : this.takeKey(tx, key);
  }

  /** Targets of a caller that have no result yet: the sum of its open requests' counts. */
  async openTargets(tx: Tx, caller: string): Promise<{ open: number; now: Date }> {
    const [row] = await tx.$queryRaw<{ open: number; now: Date }[]>`
      SELECT coalesce(sum(waiting + sending + unknown + accepted), 0)::int AS open, rescan_now() AS now
        FROM request WHERE caller = ${caller} AND state = 'open'`;
    if (!row) throw new Error('a sum without a row');
    return row;
  }

  /** The clusters of a request's targets with one of these results; a whole-task target has none. */
  async clustersWithResult(tx: Tx, requestId: string, results: readonly TargetResult[]): Promise<(string | null)[]> {
    const rows = await tx.$queryRaw<{ cluster_id: string | null }[]>`
      SELECT cluster_id FROM any_target
       WHERE request_id = ${requestId}::uuid AND result = ANY(${[...results]}::target_result[]) ORDER BY cluster_id`;
    return rows.map(({ cluster_id }) => cluster_id);
  }

  /** From now on no call may leave for the request; false where it had been asked before or is at its end. */
  async markCancelled(requestId: string, submitter: Submitter): Promise<boolean> {
    return this.prisma.transact(async (tx) => {
      const [marked] = await tx.$queryRaw<{ projectId: string }[]>`
        UPDATE request SET cancel_requested_at = rescan_now(), expires_at = least(expires_at, rescan_now())
         WHERE id = ${requestId}::uuid AND state = 'open' AND cancel_requested_at IS NULL
        RETURNING project_id AS "projectId"`;
      if (!marked) return false;
      await tx.$executeRaw`
        INSERT INTO event (kind, actor, key_id, project_id, request_id, data)
        VALUES ('request.cancelled', ${submitter.caller}, ${submitter.keyId}::uuid, ${marked.projectId}, ${requestId}::uuid, '{}')`;
      return true;
    });
  }

  /** Ends what still waits of a request whose time is over, or that was cancelled. Harmless at any time. */
  async endWaiting(requestId: string): Promise<string[]> {
    return this.prisma.transact(async (tx) => {
      const rows = await tx.$queryRaw<{ to: 'cancelled' | 'expired'; n: number }[]>`
        WITH mine AS MATERIALIZED (
          SELECT t.id, CASE WHEN r.cancel_requested_at IS NULL THEN 'expired' ELSE 'cancelled' END AS result,
                 CASE WHEN r.cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN r.deadline <= r.expires_at THEN 'deadline'
                      ELSE 'max_age' END AS reason
            FROM request AS r JOIN target AS t ON t.request_id = r.id AND t.state = 'waiting'
           WHERE r.id = ${requestId}::uuid AND r.expires_at <= (SELECT rescan_now())
           ORDER BY t.id FOR UPDATE OF t),
        moved AS (
          UPDATE target AS t SET state = 'done', result = mine.result::target_result, reason_code = mine.reason
            FROM mine WHERE t.id = mine.id RETURNING mine.result)
        SELECT result AS "to", count(*)::int AS n FROM moved GROUP BY result`;
      await lockRequests(tx, [requestId]);
      return applyMoves(
        tx,
        rows.map((row) => ({ ...row, requestId, from: 'waiting' as const })),
      );
    });
  }
}

/** What goes on record of a submission; its clusters are its targets. */
function asked({ submission, source, replayOf }: NewRequest, targets: number): object {
  const { taskId, enterpriseProjectId, range, scanTypes, priority, maxRounds, deadline } = submission;
  return { source, replayOf, targets, taskId, enterpriseProjectId, range, scanTypes, priority, maxRounds, deadline };
}
