import { Injectable } from '@nestjs/common';
import type { Evidence } from '../domain/call-outcome.js';
import { Prisma } from '../generated/prisma/client.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { EventLedger, type Actor } from './events.js';

/** Events whose calls and targets are cleared by one transaction: each may name a hundred thousand targets. */
const PAGE = 100;

const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Takes texts of the upstream out of all tables. What events prove is their hash, which stays. */
@Injectable()
export class RedactionLedger {
  constructor(
    private readonly prisma: PrismaService,
    private readonly events: EventLedger,
  ) {}

  /** An outcome as it may be stored: in the place of a text that was redacted, a mark that names it. */
  async withoutRedacted<T extends { readonly evidence: Evidence }>(tx: Tx, outcome: T): Promise<T> {
    const { errorText } = outcome.evidence;
    if (errorText === null) return outcome;
    const [row] = await tx.$queryRaw<{ said: string }[]>`SELECT unredacted(${errorText}) AS said`;
    return { ...outcome, evidence: { ...outcome.evidence, errorText: row?.said ?? null } };
  }

  /** Whether all events that speak of a text are of these projects; null where there is no such text. */
  async isWithin(hash: string, projects: readonly string[] | '*'): Promise<boolean | null> {
    const isOther = Prisma.sql`project_id IS NULL OR project_id <> ALL(${projects === '*' ? [] : [...projects]}::text[])`;
    const [row] = await this.prisma.$queryRaw<{ isWithin: boolean }[]>`
      SELECT ${projects === '*'} OR NOT EXISTS (SELECT 1 FROM event WHERE text_hash = t.hash AND (${isOther})) AS "isWithin"
        FROM event_text AS t WHERE t.hash = decode(${hash}, 'hex')`;
    return row?.isWithin ?? null;
  }

  /**
   * In steps that each commit, so that it holds nobody up: from the first on, the text is not stored any more; its copies are cleared; at
   * last it goes itself. It may be asked for again where it was interrupted, and does nothing where it is done.
   */
  async redact(hash: string, reason: string, actor: Actor): Promise<void> {
    const [said] = await this.prisma.$queryRaw<{ text: string | null }[]>`
      UPDATE event_text SET redacted_at = coalesce(redacted_at, (SELECT rescan_now()))
       WHERE hash = decode(${hash}, 'hex') RETURNING text`;
    const text = said?.text ?? null;
    if (text === null) return;
    await this.prisma.$executeRaw`
      UPDATE lane SET last_error_text = replace(last_error_text, ${text}, redaction_mark(${text}))
       WHERE position(${text} IN last_error_text) > 0`;
    for (let after: string | null = NO_ID; after !== null; after = await this.clearPage(hash, text, after));
    await this.prisma.transact(async (tx) => {
      const gone = await tx.$executeRaw`
        UPDATE event_text SET text = NULL WHERE hash = decode(${hash}, 'hex') AND text IS NOT NULL`;
      if (gone > 0) await this.events.record(tx, { kind: 'text.redacted', actor, data: { hash, reason } });
    });
  }

  /** Of the next events that speak of it. @returns the last of them; null where there is none */
  private clearPage(hash: string, text: string, after: string): Promise<string | null> {
    return this.prisma.transact(async (tx) => {
      const events = await tx.$queryRaw<{ id: string }[]>`
        SELECT id FROM event WHERE text_hash = decode(${hash}, 'hex') AND id > ${after}::uuid ORDER BY id LIMIT ${PAGE}::int`;
      if (events.length === 0) return null;
      const ids = Prisma.sql`${events.map(({ id }) => id)}::uuid[]`;
      await clearCalls(tx, text, ids);
      await clearTargets(tx, text, ids);
      await clearPastTargets(tx, text, ids);
      return events.at(-1)?.id ?? null;
    });
  }
}

async function clearCalls(tx: Tx, text: string, eventIds: Prisma.Sql): Promise<void> {
  await tx.$executeRaw`
    WITH mine AS MATERIALIZED (
      SELECT id FROM call WHERE id = ANY(ARRAY(SELECT DISTINCT call_id FROM event WHERE id = ANY(${eventIds}) AND call_id IS NOT NULL))
         AND position(${text} IN error_text) > 0 ORDER BY id FOR UPDATE)
    UPDATE call SET error_text = replace(error_text, ${text}, redaction_mark(${text})) FROM mine WHERE call.id = mine.id`;
  await tx.$executeRaw`
    WITH mine AS MATERIALIZED (
      SELECT id FROM list_call WHERE id = ANY(ARRAY(SELECT (data->>'listCallId')::uuid FROM event WHERE id = ANY(${eventIds})))
         AND position(${text} IN error_text) > 0 ORDER BY id FOR UPDATE)
    UPDATE list_call SET error_text = replace(error_text, ${text}, redaction_mark(${text})) FROM mine WHERE list_call.id = mine.id`;
}

/**
 * Those that ended with it, and those of calls that were answered with it, whose end may quote it: then that text is another one on record,
 * and goes as well. Of those that ended with it, what was said of their scan items is a part of it.
 */
async function clearTargets(tx: Tx, text: string, eventIds: Prisma.Sql): Promise<void> {
  await tx.$executeRaw`
    WITH ended AS MATERIALIZED (
      SELECT DISTINCT target::bigint AS id FROM event CROSS JOIN jsonb_array_elements_text(event.data->'targets') AS target
       WHERE event.id = ANY(${eventIds}) AND event.kind = 'targets.ended'),
    mine AS MATERIALIZED (
      SELECT id FROM target
       WHERE id = ANY(ARRAY(SELECT id FROM ended UNION
                            SELECT unnest(call.target_ids) FROM call
                             WHERE id = ANY(ARRAY(SELECT DISTINCT call_id FROM event WHERE id = ANY(${eventIds}) AND call_id IS NOT NULL))))
         AND position(${text} IN reason_text) > 0 ORDER BY id FOR UPDATE),
    cleared AS (
      UPDATE target SET reason_text = replace(target.reason_text, ${text}, redaction_mark(${text})) FROM mine WHERE target.id = mine.id
      RETURNING old.reason_text AS quoting),
    items AS (
      UPDATE scan_item SET reason = redaction_mark(${text}) FROM ended
       WHERE scan_item.target_id = ended.id
         AND (position(scan_item.reason IN ${text}) > 0 OR position(${text} IN scan_item.reason) > 0))
    UPDATE event_text SET text = NULL, redacted_at = (SELECT rescan_now())
     WHERE hash = ANY(ARRAY(SELECT DISTINCT text_hash(quoting) FROM cleared WHERE quoting <> ${text})) AND text IS NOT NULL`;
}

/** The same of those that were moved: after the others, so that none that is being moved meanwhile is missed in both places. */
async function clearPastTargets(tx: Tx, text: string, eventIds: Prisma.Sql): Promise<void> {
  await tx.$executeRaw`
    WITH named AS MATERIALIZED (
      SELECT event.request_id, target::bigint AS id, bool_or(event.id = ANY(${eventIds})) AS is_ended
        FROM event CROSS JOIN jsonb_array_elements_text(event.data->'targets') AS target
       WHERE event.kind = 'targets.ended'
         AND (event.id = ANY(${eventIds})
              OR event.call_id = ANY(ARRAY(SELECT DISTINCT call_id FROM event WHERE id = ANY(${eventIds}) AND call_id IS NOT NULL)))
       GROUP BY event.request_id, target),
    mine AS MATERIALIZED (
      SELECT t.request_id, t.id, named.is_ended FROM named JOIN past_target AS t ON t.request_id = named.request_id AND t.id = named.id
       WHERE t.request_id = ANY(ARRAY(SELECT request_id FROM named)) AND t.id = ANY(ARRAY(SELECT id FROM named))
       ORDER BY t.request_id, t.id FOR UPDATE OF t),
    cleared AS (
      UPDATE past_target AS t
         SET reason_text = replace(t.reason_text, ${text}, redaction_mark(${text})),
             scan_items = CASE WHEN is_ended THEN (
               SELECT jsonb_agg(CASE WHEN position(item->>'reason' IN ${text}) > 0 OR position(${text} IN item->>'reason') > 0
                                     THEN item || jsonb_build_object('reason', redaction_mark(${text})) ELSE item END ORDER BY place)
                 FROM jsonb_array_elements(t.scan_items) WITH ORDINALITY AS part (item, place)) ELSE t.scan_items END
        FROM mine
       WHERE t.request_id = ANY(ARRAY(SELECT request_id FROM mine)) AND t.id = ANY(ARRAY(SELECT id FROM mine))
         AND t.request_id = mine.request_id AND t.id = mine.id
         AND (position(${text} IN t.reason_text) > 0 OR is_ended AND t.scan_items IS NOT NULL)
      RETURNING old.reason_text AS quoting)
    UPDATE event_text SET text = NULL, redacted_at = (SELECT rescan_now())
     WHERE hash = ANY(ARRAY(SELECT DISTINCT text_hash(quoting) FROM cleared WHERE quoting <> ${text} AND position(${text} IN quoting) > 0))
       AND text IS NOT NULL`;
}
