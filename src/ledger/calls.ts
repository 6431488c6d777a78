import { Injectable } from '@nestjs/common';
import type { CallEnd, CallState } from '../domain/call.js';
import type { Evidence } from '../domain/call-outcome.js';
import type { Decision } from '../domain/decide.js';
import type { RequestRange } from '../domain/request.js';
import { Prisma } from '../generated/prisma/client.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';

/** A call as it is born: its row is committed before its first byte leaves. */
export interface NewCall {
  readonly id: string;
  readonly laneId: string;
  readonly credential: string;
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly rangeType: RequestRange;
  readonly clusterCount: number;
  readonly targetIds: readonly bigint[];
  /** Of each target's cluster, in the same order; empty where all are "every failed item". */
  readonly scanMasks: readonly number[];
  readonly bodySha256: Uint8Array<ArrayBuffer>;
  readonly startedAt: Date;
  readonly leaseUntil: Date;
  readonly policyVersion: string;
  readonly worker: string;
  readonly splitOrigin: string | null;
}

/** A call as the one who settles it needs it. */
export interface CallFacts {
  readonly id: string;
  readonly state: CallState;
  readonly laneId: string;
  readonly credential: string;
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly rangeType: RequestRange;
  readonly clusterCount: number;
  readonly targetIds: readonly bigint[];
  readonly windowMs: number;
  readonly failureStreak: number;
  readonly breakerOpenUntil: Date | null;
  readonly confirmed: boolean;
  readonly clockOffsetMs: number;
  readonly splitOrigin: string | null;
  readonly attempts: number;
  /** Whether its targets are still in it, until a verdict or its time-out. */
  readonly watched: boolean;
  readonly startedAt: Date;
  readonly leaseUntil: Date;
  readonly lookupOffset: number;
  readonly lookupUntil: Date | null;
  readonly lookupSeen: readonly bigint[];
  readonly lookupTaken: readonly bigint[];
  readonly now: Date;
}

/** A cluster of a call with the targets that it was sent for; null: the whole task. */
export interface CallCluster {
  readonly clusterId: string | null;
  readonly targetIds: readonly bigint[];
  /** The times of the scan that the last verdict on the cluster was read of. */
  readonly knownStart: Date | null;
  readonly knownEnd: Date | null;
}

/** What is written down when a call ends. */
export interface CallEnding {
  readonly evidence: Evidence;
  readonly cause: string | null;
  readonly durationMs: number | null;
  /** When the answer came: the upstream had counted the call by then. */
  readonly answeredAt: Date;
  /** When its targets end as unverified, for those that stay in it. */
  readonly verdictDueAt: Date | null;
  /** When an unknown call is looked up first, and until when. */
  readonly lookup: { readonly dueAt: Date; readonly until: Date } | null;
}

@Injectable()
export class CallLedger {
  constructor(private readonly prisma: PrismaService) {}

  /** Writes the call, which requests are in it, and what it is searched by of them. Their rows stay locked, so that their counts can follow. */
  async insert(tx: Tx, call: NewCall, requestIds: readonly string[]): Promise<void> {
    await tx.$executeRaw`
      WITH born AS (
        INSERT INTO call (id, lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks,
                          body_sha256, started_at, lease_until, slot_free_at, policy_version, worker, split_origin)
        VALUES (${call.id}::uuid, ${call.laneId}, ${call.credential}, ${call.scanTaskId}, ${call.projectId},
                ${call.rangeType}::request_range, ${call.clusterCount}, ${[...call.targetIds]}::bigint[],
                ${[...call.scanMasks]}::smallint[], ${call.bodySha256}, ${call.startedAt}::timestamptz,
                ${call.leaseUntil}::timestamptz, 'infinity', ${call.policyVersion}, ${call.worker},
                ${call.splitOrigin}::uuid)),
      tagged AS (
        INSERT INTO call_tag (tag, call_id)
        SELECT DISTINCT tag, ${call.id}::uuid
          FROM request AS r CROSS JOIN LATERAL call_tags(r.project_id, r.caller, r.labels) AS tag
         WHERE r.id = ANY(${[...requestIds]}::uuid[]))
      INSERT INTO call_request (call_id, request_id)
      SELECT ${call.id}::uuid, id FROM unnest(${[...requestIds]}::uuid[]) AS id`;
  }

  /** The targets of each cluster of a call, in the order sent. */
  async clusters(tx: Tx, callId: string): Promise<CallCluster[]> {
    return tx.$queryRaw`
      SELECT c.*, known.start_time AS "knownStart", known.end_time AS "knownEnd"
        FROM (SELECT t.cluster_id AS "clusterId", array_agg(t.id ORDER BY part.place) AS "targetIds", min(part.place) AS place
                FROM call
               CROSS JOIN unnest(call.target_ids) WITH ORDINALITY AS part (id, place)
                JOIN target AS t ON t.id = part.id
               WHERE call.id = ${callId}::uuid GROUP BY t.cluster_id) AS c
        LEFT JOIN LATERAL (
             SELECT start_time, end_time FROM cluster_scan
              WHERE (project_id, task_id) = (${taskOf(callId)}) AND cluster_id = c."clusterId"
              UNION ALL
             -- A whole task shows the last times of its clusters.
             SELECT max(start_time), max(end_time) FROM cluster_scan
              WHERE c."clusterId" IS NULL AND (project_id, task_id) = (${taskOf(callId)}) HAVING count(*) > 0) AS known ON true
       ORDER BY c.place`;
  }

  /** The origin of the split that a call of one of its parts belongs to: the first rejected call. */
  async splitOrigin(tx: Tx, parent: string): Promise<string> {
    const [row] = await tx.$queryRaw<{ origin: string }[]>`
      SELECT coalesce(split_origin, id) AS origin FROM call WHERE id = ${parent}::uuid`;
    return row?.origin ?? parent;
  }

  /** @returns null where there is no such call */
  async facts(tx: Tx, callId: string): Promise<CallFacts | null> {
    const [row] = await tx.$queryRaw<CallFacts[]>`
      SELECT call.id, call.state::text AS state, call.lane_id AS "laneId", call.credential, call.scan_task_id AS "scanTaskId",
             call.project_id AS "projectId", call.range_type::text AS "rangeType", call.cluster_count AS "clusterCount", call.target_ids AS "targetIds",
             call.split_origin AS "splitOrigin", call.started_at AS "startedAt", call.lease_until AS "leaseUntil",
             call.verdict_due_at IS NOT NULL AS watched, call.lookup_offset AS "lookupOffset", call.lookup_until AS "lookupUntil", call.lookup_seen AS "lookupSeen",
             call.lookup_taken AS "lookupTaken", lane.window_ms AS "windowMs", lane.failure_streak AS "failureStreak",
             lane.breaker_open_until AS "breakerOpenUntil", cs.confirmed, cs.clock_offset_ms AS "clockOffsetMs",
             (SELECT coalesce(max(attempts), 0)::int FROM target WHERE target.id = ANY(call.target_ids)) AS attempts,
             rescan_now() AS now
        FROM call
        JOIN lane ON lane.id = call.lane_id
        JOIN credential_state AS cs ON cs.credential = call.credential
       WHERE call.id = ${callId}::uuid`;
    return row ?? null;
  }

  /**
   * Whether a call may still leave: since it was written nobody has paused its lane, and none of its requests was cancelled or ran
   * out of time.
   */
  async mayLeave(callId: string): Promise<boolean> {
    const [row] = await this.prisma.$queryRaw<{ free: boolean }[]>`
      SELECT call.state = 'sending' AND lane.operator_paused_at IS NULL
             AND coalesce(lane.paused_until, '-infinity') <= (SELECT rescan_now())
             AND NOT EXISTS (SELECT 1 FROM project WHERE id = call.project_id AND paused_at IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM call_request AS cr JOIN request AS r ON r.id = cr.request_id
                              WHERE cr.call_id = call.id AND r.expires_at <= (SELECT rescan_now())) AS free
        FROM call JOIN lane ON lane.id = call.lane_id WHERE call.id = ${callId}::uuid`;
    return row?.free ?? false;
  }

  /**
   * Ends a call once, and an unknown one once more when its answer comes late; false when it is in neither state any more, and then
   * nothing else may happen. A late answer leaves the slot as it is: the upstream counted the call before its lease ended.
   */
  async end(tx: Tx, call: CallFacts, decision: Decision, end: CallEnding): Promise<boolean> {
    const state: CallEnd = decision.call;
    const slotFreeAt = decision.slot === 'now' ? call.now : new Date(end.answeredAt.getTime() + call.windowMs);
    const record: Prisma.InputJsonObject = { ...(JSON.parse(JSON.stringify(decision)) as object), cause: end.cause };
    const ended = await tx.$executeRaw`
      UPDATE call
         SET state = ${state}::call_state, finished_at = ${call.now}::timestamptz,
             slot_free_at = CASE WHEN state = 'sending' THEN ${slotFreeAt}::timestamptz ELSE slot_free_at END,
             verdict_due_at = ${end.verdictDueAt}::timestamptz, lookup_due_at = ${end.lookup?.dueAt ?? null}::timestamptz,
             lookup_until = ${end.lookup?.until ?? null}::timestamptz, http_status = ${end.evidence.httpStatus}::smallint,
             error_code = ${end.evidence.errorCode}, error_text = ${end.evidence.errorText},
             upstream_request_id = ${end.evidence.upstreamRequestId}, duration_ms = ${end.durationMs}::int,
             decision = ${record}::jsonb
       WHERE id = ${call.id}::uuid AND state = ${call.state}::call_state
         AND (state = 'sending' OR (state = 'unknown' AND verdict_due_at IS NOT NULL))`;
    return ended === 1;
  }

  /** Ends the not knowing; false when the call is not unknown any more. */
  async resolve(
    tx: Tx,
    callId: string,
    to: {
      state: 'accepted' | 'partly_accepted' | 'not_carried_out' | 'unknown';
      verdictDueAt: Date | null;
      /** A list has shown that it was carried out. */
      isShown: boolean;
    },
  ): Promise<boolean> {
    const resolved = await tx.$executeRaw`
      UPDATE call
         SET state = ${to.state}::call_state, verdict_due_at = ${to.verdictDueAt}::timestamptz, lookup_due_at = NULL,
             effect = CASE WHEN ${to.isShown} THEN 'seen' ELSE effect END::call_effect
       WHERE id = ${callId}::uuid AND state = 'unknown' AND verdict_due_at IS NOT NULL`;
    return resolved === 1;
  }

  /** The answer of a call that was taken for not carried out. */
  async acceptLate(
    tx: Tx,
    { id, targetIds: sent }: CallFacts,
    takenBack: readonly bigint[],
    verdictDueAt: Date,
  ): Promise<boolean> {
    // A whole task's target may have become many since.
    const known = new Set(sent);
    const added = takenBack.filter((target) => !known.has(target));
    const accepted = await tx.$executeRaw`
      UPDATE call SET state = 'partly_accepted', verdict_due_at = ${verdictDueAt}::timestamptz,
             target_ids = target_ids || ${added}::bigint[]
       WHERE id = ${id}::uuid AND state IN ('not_carried_out', 'partly_accepted')`;
    return accepted === 1;
  }

  /** Takes calls from the budget of a split; false when it has not enough left. */
  async spendSplitBudget(tx: Tx, origin: string, calls: number, budget: number): Promise<boolean> {
    const spent = await tx.$executeRaw`
      UPDATE call SET split_calls_left = coalesce(split_calls_left, ${budget}) - ${calls}
       WHERE id = ${origin}::uuid AND coalesce(split_calls_left, ${budget}) >= ${calls}`;
    return spent === 1;
  }

  /** Ends the watch over an accepted call whose targets have all come to their end; false when somebody else has. */
  async leaveWatch(tx: Tx, callId: string): Promise<boolean> {
    const left = await tx.$executeRaw`
      UPDATE call SET verdict_due_at = NULL WHERE id = ${callId}::uuid AND state = 'accepted' AND verdict_due_at IS NOT NULL`;
    return left === 1;
  }

  /**
   * Ends the watch over an accepted or unknown call whose time is over; null when somebody else has. One that was accepted and never
   * showed any effect is a phantom; unless nobody could look for it.
   */
  async endWatch(tx: Tx, callId: string): Promise<{ state: CallState; isPhantom: boolean } | null> {
    const [row] = await tx.$queryRaw<{ state: CallState; isPhantom: boolean }[]>`
      UPDATE call SET verdict_due_at = NULL, lookup_due_at = NULL,
             effect = CASE WHEN effect = 'none' AND state = 'accepted'
                                AND EXISTS (SELECT 1 FROM live_cluster WHERE call_id = call.id AND seen_at IS NOT NULL)
                           THEN 'phantom' ELSE effect END::call_effect
       WHERE id = ${callId}::uuid AND verdict_due_at <= (SELECT rescan_now())
      RETURNING state::text AS state, effect = 'phantom' AS "isPhantom"`;
    return row ?? null;
  }
}

const taskOf = (callId: string): Prisma.Sql => Prisma.sql`
  SELECT s.project_id, s.task_id FROM call JOIN scan_task AS s ON s.id = call.scan_task_id WHERE call.id = ${callId}::uuid`;
