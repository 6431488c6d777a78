import { Injectable } from '@nestjs/common';
import type { Prisma } from '../generated/prisma/client.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';

/** Who did it, and with which key. */
export interface Actor {
  readonly caller: string;
  readonly keyId: string;
}

/** Refused accesses that differ in nothing but their time. */
export interface RefusedAccessCount {
  /** `nobody` without a key that is known. */
  readonly caller: string;
  readonly keyId: string | null;
  readonly method: string;
  /** The route's pattern. */
  readonly route: string;
  readonly reason: string;
  readonly count: number;
  /** Of the first of them, by this process's clock. */
  readonly since: Date;
}

export interface NewEvent {
  readonly kind: string;
  readonly actor: Actor;
  readonly projectId?: string;
  readonly requestId?: string;
  readonly callId?: string;
  readonly laneId?: string;
  readonly scheduleId?: string;
  readonly data?: Prisma.InputJsonObject;
}

/**
 * The append-only record: what people and callers did. What becomes of calls, targets and requests, and of lookups, triggers record
 * with it.
 */
@Injectable()
export class EventLedger {
  constructor(private readonly prisma: PrismaService) {}

  async record(tx: Tx, event: NewEvent): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO event (kind, actor, key_id, project_id, request_id, call_id, lane_id, schedule_id, data)
      VALUES (${event.kind}, ${event.actor.caller}, ${event.actor.keyId}::uuid, ${event.projectId ?? null},
              ${event.requestId ?? null}::uuid, ${event.callId ?? null}::uuid, ${event.laneId ?? null}, ${event.scheduleId ?? null}::uuid,
              ${event.data ?? {}}::jsonb)`;
  }

  /** One event for each. They belong to no project: a refused access is no project's business but the operators'. */
  async recordRefused(refused: readonly RefusedAccessCount[]): Promise<void> {
    await this.prisma.$executeRaw`
      INSERT INTO event (kind, actor, key_id, data)
      SELECT 'access.refused', caller, key_id, data
        FROM unnest(${refused.map(({ caller }) => caller)}::text[], ${refused.map(({ keyId }) => keyId)}::uuid[],
                    ${refused.map(({ method, route, reason, count, since }) => JSON.stringify({ method, route, reason, count, since }))}::jsonb[])
             AS told (caller, key_id, data)`;
  }
}
