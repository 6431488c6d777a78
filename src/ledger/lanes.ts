import { Injectable } from '@nestjs/common';
import type { Charge } from '../domain/choose.js';
import type { CredentialHealth, LaneHealth, LaneSituation } from '../domain/lane.js';
import { limitInForce, loweredLimit, type LearnedLimit, type ToldLimit } from '../domain/learned-limit.js';
import type { CallOutcome, ThrottlePolicy } from '../domain/call-outcome.js';
import { Prisma } from '../generated/prisma/client.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';

/** A lane as the credentials file has it. */
export interface LaneSpec {
  readonly id: string;
  readonly credential: string;
  readonly operation: string;
  readonly endpoint: string;
  readonly egress: string;
  readonly calls: number | null;
  readonly windowMs: number;
}

/** A 429, as far as it concerns a lane's limit. */
export interface Refusal {
  readonly startedAt: Date;
  readonly now: Date;
  readonly quietSince: Date;
  readonly told: ToldLimit | null;
  readonly policy: ThrottlePolicy;
}

/** What a start needs of a lane, read under its lock. `callId` and `now` are the database's, for the call that may follow. */
export interface LaneReading {
  readonly callId: string;
  readonly situation: LaneSituation;
  readonly windowMs: number;
  /** Calls a window, before any 429 taught less. */
  readonly configured: number | null;
  readonly clockOffsetMs: number;
  /** See `Queue.virtualTime`. */
  readonly virtualTime: number;
}

interface LimitRow {
  calls: number | null;
  window_ms: number;
  learned_calls: number | null;
  learned_at: Date | null;
  quiet_since: Date | null;
}

interface SituationRow extends LimitRow {
  id: string;
  now: Date;
  call_id: string;
  slots_in_use: number;
  next_slot_at: Date | null;
  paused_until: Date | null;
  operator_paused: boolean;
  breaker_open_until: Date | null;
  sending_of_lane: number;
  confirmed: boolean;
  open_until: Date | null;
  sending_of_credential: number;
  clock_offset_ms: number;
  virtual_time: number;
}

/** Retries and lists alike take slots of their lanes, and try an unconfirmed credential one at a time. */
const EVERY_CALL = Prisma.sql`
  SELECT lane_id, slot_free_at FROM call UNION ALL SELECT lane_id, slot_free_at FROM list_call`;
const EVERY_SENDING_CALL = Prisma.sql`
  SELECT lane_id, credential FROM call WHERE state = 'sending'
  UNION ALL SELECT lane_id, credential FROM list_call WHERE state = 'sending'`;

const LIMIT = Prisma.sql`
  coalesce(lane.calls_by_operator, lane.calls) AS calls, lane.learned_calls, lane.learned_at, lane.quiet_since`;

@Injectable()
export class LaneLedger {
  constructor(private readonly prisma: PrismaService) {}

  /** Makes the lanes of the credentials file, and takes over changed limits; what a lane has been through stays. */
  async sync(specs: readonly LaneSpec[]): Promise<void> {
    const sorted = [...specs].sort((a, b) => (a.id < b.id ? -1 : 1));
    const rows = sorted.map(
      (lane) =>
        Prisma.sql`(${lane.id}, ${lane.credential}, ${lane.operation}, ${lane.endpoint}, ${lane.egress},
                    ${lane.calls}::int, ${lane.windowMs}::int)`,
    );
    await this.prisma.transact(async (tx) => {
      await tx.$executeRaw`
        INSERT INTO lane (id, credential, operation, endpoint, egress, calls, window_ms) VALUES ${Prisma.join(rows)}
        ON CONFLICT (id) DO UPDATE SET endpoint = excluded.endpoint, egress = excluded.egress, calls = excluded.calls,
                                       window_ms = excluded.window_ms`;
      await tx.$executeRaw`
        INSERT INTO credential_state (credential)
        SELECT DISTINCT unnest(${sorted.map((lane) => lane.credential)}::text[]) ORDER BY 1 ON CONFLICT DO NOTHING`;
    });
  }

  /** First of all locks. A 429 "by ip" or "by api" concerns other lanes too: they are locked with this one, by id. */
  async lock(tx: Tx, laneId: string, scope: ThrottlePolicy = 'user'): Promise<void> {
    await tx.$queryRaw`SELECT 1 FROM lane WHERE ${lanesOf(laneId, scope)} ORDER BY id FOR UPDATE`;
  }

  /** Everything that `laneGate` asks for. Only under the lane's lock is it still true when the call is written. */
  async read(tx: Tx, laneId: string): Promise<LaneReading> {
    const reading = (await this.readAll(tx, [laneId])).get(laneId);
    if (!reading) throw new Error(`no lane ${laneId}`);
    return reading;
  }

  /** By lane; those without a row are left out. */
  async readAll(tx: Tx, laneIds: readonly string[]): Promise<Map<string, LaneReading>> {
    const rows = await tx.$queryRaw<SituationRow[]>`
      WITH clock AS MATERIALIZED (SELECT rescan_now() AS now)
      SELECT lane.id, clock.now, uuidv7() AS call_id, ${LIMIT}, lane.window_ms, lane.paused_until, lane.virtual_time,
             lane.operator_paused_at IS NOT NULL AS operator_paused, lane.breaker_open_until,
             cs.confirmed, cs.open_until, cs.clock_offset_ms, slots.*, sending.*
        FROM lane
        JOIN credential_state AS cs USING (credential)
       CROSS JOIN clock
       CROSS JOIN LATERAL (
             SELECT count(*)::int AS slots_in_use,
                    min(slot_free_at) FILTER (WHERE slot_free_at < 'infinity') AS next_slot_at
               FROM (${EVERY_CALL}) AS c WHERE c.lane_id = lane.id AND coalesce(lane.calls_by_operator, lane.calls, lane.learned_calls) IS NOT NULL
                                           AND slot_free_at > (SELECT now FROM clock)) AS slots
       CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE c.lane_id = lane.id)::int AS sending_of_lane,
                    count(*)::int AS sending_of_credential
               FROM (${EVERY_SENDING_CALL}) AS c WHERE c.credential = lane.credential) AS sending
       WHERE lane.id = ANY(${[...laneIds]}::text[])`;
    return new Map(rows.map((row) => [row.id, toReading(row)]));
  }

  /** What an outcome is judged by; under the lane's lock. */
  async facts(
    tx: Tx,
    laneId: string,
  ): Promise<LaneHealth & { laneId: string; credential: string; confirmed: boolean; now: Date }> {
    const [row] = await tx.$queryRaw<
      { failureStreak: number; breakerOpenUntil: Date | null; credential: string; confirmed: boolean; now: Date }[]
    >`
      SELECT failure_streak AS "failureStreak", breaker_open_until AS "breakerOpenUntil", credential, cs.confirmed, rescan_now() AS now
        FROM lane JOIN credential_state AS cs USING (credential) WHERE lane.id = ${laneId}`;
    if (!row) throw new Error(`no lane ${laneId}`);
    return { ...row, laneId };
  }

  /** One call at a time while a credential is not confirmed, over all its lanes: so its row is locked, and what is sending read again. */
  async lockCredential(tx: Tx, credential: string): Promise<CredentialHealth & { sending: number }> {
    const [row] = await tx.$queryRaw<CredentialHealth[]>`
      SELECT confirmed, failures, open_until AS "openUntil", refused_at AS "refusedAt" FROM credential_state
       WHERE credential = ${credential} FOR UPDATE`;
    const [calls] = await tx.$queryRaw<{ sending: number }[]>`
      SELECT count(*)::int AS sending FROM (${EVERY_SENDING_CALL}) AS c WHERE credential = ${credential}`;
    if (!row || !calls) throw new Error(`no state of credential ${credential}`);
    return { ...row, sending: calls.sending };
  }

  async saveCredential(tx: Tx, credential: string, health: CredentialHealth): Promise<void> {
    await tx.$executeRaw`
      UPDATE credential_state
         SET confirmed = ${health.confirmed}, failures = ${health.failures}, open_until = ${health.openUntil}::timestamptz,
             refused_at = ${health.refusedAt}::timestamptz
       WHERE credential = ${credential}`;
  }

  /** The upstream's clock minus the database's, as its last answers showed it. */
  async saveClockOffset(credential: string, offsetMs: number): Promise<void> {
    await this.prisma.$executeRaw`
      UPDATE credential_state SET clock_offset_ms = ${offsetMs}::int WHERE credential = ${credential}`;
  }

  async saveHealth(tx: Tx, laneId: string, health: LaneHealth): Promise<void> {
    await tx.$executeRaw`
      UPDATE lane
         SET breaker_open_until = ${health.breakerOpenUntil}::timestamptz, failure_streak = ${health.failureStreak}
       WHERE id = ${laneId}`;
  }

  /** Under the lane's lock. A call that left before the limit was last lowered has met the same refusal, and changes nothing. */
  async lowerLimit(tx: Tx, laneId: string, refusal: Refusal): Promise<void> {
    const { now, startedAt, quietSince, told, policy } = refusal;
    const [row] = await tx.$queryRaw<LimitRow[]>`SELECT ${LIMIT}, window_ms FROM lane WHERE id = ${laneId}`;
    if (!row) throw new Error(`no lane ${laneId}`);
    const learned = toLearned(row);
    if (learned && learned.at <= now && startedAt <= learned.at) return;
    const { calls: configured, window_ms: windowMs } = row;
    const calls = loweredLimit(limitInForce(configured, learned, windowMs, now), windowMs, told, policy);
    await tx.$executeRaw`
      UPDATE lane SET learned_calls = ${calls}::int, learned_at = ${now}::timestamptz, quiet_since = ${quietSince}::timestamptz
       WHERE id = ${laneId}`;
  }

  async saveError(tx: Tx, laneId: string, { kind, evidence }: CallOutcome): Promise<void> {
    await tx.$executeRaw`
      UPDATE lane
         SET last_error_code = ${evidence.errorCode ?? kind}, last_error_text = ${evidence.errorText}, last_error_at = rescan_now()
       WHERE id = ${laneId}`;
  }

  /** A call was opened for this caller; under the lane's lock. */
  async charge(tx: Tx, laneId: string, caller: string, { share, virtualTime }: Charge): Promise<void> {
    await tx.$executeRaw`
      WITH clock AS (UPDATE lane SET virtual_time = ${virtualTime} WHERE id = ${laneId})
      INSERT INTO lane_share (lane_id, caller, served, urgent_served)
      VALUES (${laneId}, ${caller}, ${share.served}, ${share.urgentServed})
      ON CONFLICT (lane_id, caller) DO UPDATE SET served = excluded.served, urgent_served = excluded.urgent_served`;
  }

  /** Never shortens a pause. */
  async pause(tx: Tx, laneId: string, scope: ThrottlePolicy, until: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE lane SET paused_until = greatest(paused_until, ${until}::timestamptz) WHERE ${lanesOf(laneId, scope)}`;
  }
}

/** The lanes that a 429 of `laneId` speaks of: its own; all of the operation from the same address; all of it at the endpoint. */
function lanesOf(laneId: string, scope: ThrottlePolicy): Prisma.Sql {
  if (scope === 'user') return Prisma.sql`id = ${laneId}`;
  const shared = scope === 'ip' ? Prisma.sql`egress` : Prisma.sql`endpoint`;
  return Prisma.sql`(operation, ${shared}) = (SELECT operation, ${shared} FROM lane AS own WHERE own.id = ${laneId})`;
}

function toLearned({ learned_calls: calls, learned_at: at, quiet_since: quietSince }: LimitRow): LearnedLimit | null {
  return calls === null || !at || !quietSince ? null : { calls, at, quietSince };
}

function toReading(row: SituationRow): LaneReading {
  return {
    callId: row.call_id,
    windowMs: row.window_ms,
    configured: row.calls,
    clockOffsetMs: row.clock_offset_ms,
    virtualTime: row.virtual_time,
    situation: {
      now: row.now,
      calls: limitInForce(row.calls, toLearned(row), row.window_ms, row.now),
      slotsInUse: row.slots_in_use,
      nextSlotAt: row.next_slot_at,
      pausedUntil: row.paused_until,
      operatorPaused: row.operator_paused,
      breakerOpenUntil: row.breaker_open_until,
      sendingOfLane: row.sending_of_lane,
      credential: { confirmed: row.confirmed, openUntil: row.open_until, sending: row.sending_of_credential },
    },
  };
}
