import { Injectable } from '@nestjs/common';
import type { ScheduleTerms } from '../domain/schedule.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Actor } from './events.js';

/** What a caller says of a schedule. */
export interface ScheduleOrder {
  readonly name: string;
  readonly enterpriseProjectId: string;
  readonly terms: ScheduleTerms;
}

export interface ScheduleRow extends ScheduleOrder {
  readonly id: string;
  readonly projectId: string;
  readonly caller: string;
  readonly keyId: string;
  readonly anchorAt: Date;
  readonly pausedAt: Date | null;
  readonly nextDueAt: Date | null;
  readonly lastFireId: string | null;
}

/** When it fires next; null: not by itself. */
export interface NextFire {
  readonly dueAt: Date;
  /** With the jitter. */
  readonly fireAt: Date;
}

const COLUMNS = Prisma.sql`
  id, name, project_id AS "projectId", enterprise_project_id AS "enterpriseProjectId", caller, key_id AS "keyId", terms,
  anchor_at AS "anchorAt", paused_at AS "pausedAt", next_due_at AS "nextDueAt", last_fire_id AS "lastFireId"`;

/** Standing orders. Whoever changes one has its row locked; a fire is born under the same lock. */
@Injectable()
export class ScheduleLedger {
  /** An id for a schedule to come: its jitter depends on it. */
  async newId(tx: Tx): Promise<{ id: string; now: Date }> {
    const [row] = await tx.$queryRaw<{ id: string; now: Date }[]>`SELECT uuidv7() AS id, rescan_now() AS now`;
    if (!row) throw new Error('a row without a table');
    return row;
  }

  async now(tx: Tx): Promise<Date> {
    return (await this.newId(tx)).now;
  }

  /** @returns false where the project has another one of that name */
  async insert(
    tx: Tx,
    schedule: ScheduleOrder & { id: string; projectId: string; enabled: boolean },
    { caller, keyId }: Actor,
    next: NextFire | null,
    now: Date,
  ): Promise<boolean> {
    // A lane that serves every project serves those that are written down.
    await tx.$executeRaw`INSERT INTO project (id) VALUES (${schedule.projectId}) ON CONFLICT DO NOTHING`;
    const inserted = await tx.$executeRaw`
      INSERT INTO schedule (id, name, project_id, enterprise_project_id, caller, key_id, terms, anchor_at, paused_at, next_due_at,
                            next_fire_at, planned_at, created_at, updated_at)
      VALUES (${schedule.id}::uuid, ${schedule.name}, ${schedule.projectId}, ${schedule.enterpriseProjectId}, ${caller}, ${keyId}::uuid,
              ${asJson(schedule.terms)}::jsonb, ${now}::timestamptz, ${schedule.enabled ? null : now}::timestamptz,
              ${next?.dueAt ?? null}::timestamptz, ${next?.fireAt ?? null}::timestamptz, ${now}::timestamptz, ${now}::timestamptz,
              ${now}::timestamptz)
      ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING`;
    return inserted === 1;
  }

  /** Locked until the transaction ends; null where there is none, or it was deleted. */
  async lock(tx: Tx, id: string): Promise<ScheduleRow | null> {
    const [row] = await tx.$queryRaw<ScheduleRow[]>`
      SELECT ${COLUMNS} FROM schedule WHERE id = ${id}::uuid AND deleted_at IS NULL FOR UPDATE`;
    return row ?? null;
  }

  /** A schedule that is due, locked, and of nobody else's at the moment. */
  async takeDue(tx: Tx): Promise<ScheduleRow | null> {
    const [row] = await tx.$queryRaw<ScheduleRow[]>`
      SELECT ${COLUMNS} FROM schedule WHERE next_fire_at <= (SELECT rescan_now())
       ORDER BY next_fire_at LIMIT 1 FOR UPDATE SKIP LOCKED`;
    return row ?? null;
  }

  /** One that was planned at a moment that is to come: the clock was set back, and its next due time may be far away. */
  async takeAhead(tx: Tx, byMs: number): Promise<ScheduleRow | null> {
    const [row] = await tx.$queryRaw<ScheduleRow[]>`
      SELECT ${COLUMNS} FROM schedule
       WHERE next_fire_at IS NOT NULL AND planned_at > (SELECT rescan_now()) + ${byMs}::float8 * interval '1 ms'
       ORDER BY planned_at LIMIT 1 FOR UPDATE SKIP LOCKED`;
    return row ?? null;
  }

  async plan(tx: Tx, id: string, next: NextFire | null, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule
         SET next_due_at = ${next?.dueAt ?? null}::timestamptz, next_fire_at = ${next?.fireAt ?? null}::timestamptz,
             planned_at = ${now}::timestamptz
       WHERE id = ${id}::uuid`;
  }

  /** One that cannot be planned keeps no other from it. */
  async postpone(tx: Tx, id: string, ms: number): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule SET next_fire_at = rescan_now() + ${ms}::float8 * interval '1 ms', planned_at = rescan_now()
       WHERE id = ${id}::uuid AND next_fire_at IS NOT NULL`;
  }

  async setLastFire(tx: Tx, id: string, fireId: string): Promise<void> {
    await tx.$executeRaw`UPDATE schedule SET last_fire_id = ${fireId}::uuid WHERE id = ${id}::uuid`;
  }

  /** Whether another schedule of the project has the name. */
  async isNameTaken(tx: Tx, { id, projectId }: ScheduleRow, name: string): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM schedule WHERE project_id = ${projectId} AND name = ${name} AND deleted_at IS NULL AND id <> ${id}::uuid`;
    return rows.length > 0;
  }

  /** Its timing begins to count anew at the anchor. */
  async change(
    tx: Tx,
    id: string,
    to: ScheduleOrder & { anchorAt: Date; pausedAt: Date | null },
    now: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule
         SET name = ${to.name}, enterprise_project_id = ${to.enterpriseProjectId}, terms = ${asJson(to.terms)}::jsonb,
             anchor_at = ${to.anchorAt}::timestamptz, paused_at = ${to.pausedAt}::timestamptz, updated_at = ${now}::timestamptz,
             next_due_at = CASE WHEN ${to.pausedAt}::timestamptz IS NULL THEN next_due_at END,
             next_fire_at = CASE WHEN ${to.pausedAt}::timestamptz IS NULL THEN next_fire_at END
       WHERE id = ${id}::uuid`;
  }

  async delete(tx: Tx, id: string, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule SET deleted_at = ${now}::timestamptz, updated_at = ${now}::timestamptz, next_due_at = NULL, next_fire_at = NULL
       WHERE id = ${id}::uuid`;
  }
}

const asJson = (terms: ScheduleTerms): string => JSON.stringify(terms);
