import { Injectable } from '@nestjs/common';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { EventLedger, type Actor } from './events.js';

/** What an operator changes of a lane; what is absent stays. */
export interface LaneChange {
  /** Calls a window; null: as the credentials file has it. */
  readonly limit?: number | null;
  readonly paused?: boolean;
  /** By caller: what a call that is opened for it weighs, as 1/weight. */
  readonly weights?: Readonly<Record<string, number>>;
}

/** The word of operators, recorded: it counts from the next call on, in every process. */
@Injectable()
export class LaneControlLedger {
  constructor(
    private readonly prisma: PrismaService,
    private readonly events: EventLedger,
  ) {}

  changeLane(laneId: string, { limit, paused, weights }: LaneChange, actor: Actor): Promise<void> {
    return this.prisma.transact(async (tx) => {
      await tx.$queryRaw`SELECT 1 FROM lane WHERE id = ${laneId} FOR UPDATE`;
      if (limit !== undefined) await this.setLimit(tx, laneId, limit, actor);
      if (paused !== undefined) await this.setPause(tx, laneId, paused, actor);
      if (weights !== undefined) await this.setWeights(tx, laneId, weights, actor);
    });
  }

  /** Nothing leaves for the project until it is resumed; what is out is settled. @returns false where it already was so */
  pauseProject(projectId: string, paused: boolean, actor: Actor): Promise<boolean> {
    return this.prisma.transact(async (tx) => {
      const changed = await tx.$executeRaw`
        INSERT INTO project (id, paused_at) VALUES (${projectId}, CASE WHEN ${paused} THEN rescan_now() END)
        ON CONFLICT (id) DO UPDATE SET paused_at = excluded.paused_at
         WHERE (project.paused_at IS NULL) = ${paused}`;
      if (changed === 0) return false;
      await this.events.record(tx, { kind: paused ? 'project.paused' : 'project.resumed', actor, projectId });
      return true;
    });
  }

  private async setLimit(tx: Tx, laneId: string, limit: number | null, actor: Actor): Promise<void> {
    // What a 429 taught was about the limit as it was.
    const [changed] = await tx.$queryRaw<{ from: number | null }[]>`
      UPDATE lane SET calls_by_operator = ${limit}::int, learned_calls = NULL
       WHERE id = ${laneId} AND calls_by_operator IS DISTINCT FROM ${limit}::int
      RETURNING old.calls_by_operator AS "from"`;
    const data = { limit: { ...changed, to: limit } };
    if (changed) await this.events.record(tx, { kind: 'lane.limit_changed', actor, laneId, data });
  }

  private async setPause(tx: Tx, laneId: string, paused: boolean, actor: Actor): Promise<void> {
    const changed = await tx.$executeRaw`
      UPDATE lane SET operator_paused_at = CASE WHEN ${paused} THEN rescan_now() END
       WHERE id = ${laneId} AND (operator_paused_at IS NULL) = ${paused}`;
    if (changed > 0) await this.events.record(tx, { kind: paused ? 'lane.paused' : 'lane.resumed', actor, laneId });
  }

  private async setWeights(
    tx: Tx,
    laneId: string,
    weights: Readonly<Record<string, number>>,
    actor: Actor,
  ): Promise<void> {
    const callers = Object.keys(weights).sort();
    const changed = await tx.$queryRaw<{ caller: string; from: number; to: number }[]>`
      INSERT INTO lane_share (lane_id, caller, weight)
      SELECT ${laneId}, caller, weight
        FROM unnest(${callers}::text[], ${callers.map((caller) => weights[caller] ?? 1)}::float8[]) AS told (caller, weight)
      -- A call by the old weight must not be paid for with many by the new one.
      ON CONFLICT (lane_id, caller) DO UPDATE
         SET weight = excluded.weight,
             served = least(lane_share.served, (SELECT virtual_time FROM lane WHERE id = ${laneId}) + 1 / excluded.weight),
             urgent_served = least(lane_share.urgent_served,
                                   (SELECT virtual_time FROM lane WHERE id = ${laneId}) + 2 / excluded.weight)
       WHERE lane_share.weight <> excluded.weight
      RETURNING caller, coalesce(old.weight, 1) AS "from", new.weight AS "to"`;
    if (changed.length === 0) return;
    const data = { weights: Object.fromEntries(changed.map(({ caller, from, to }) => [caller, { from, to }])) };
    await this.events.record(tx, { kind: 'lane.weights_changed', actor, laneId, data });
  }
}
