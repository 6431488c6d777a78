import { Injectable } from '@nestjs/common';
import type { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** Who did it, and with which key. */
export interface Actor {
  readonly caller: string;
  readonly keyId: string;
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
  async record(tx: Tx, event: NewEvent): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO event (kind, actor, key_id, project_id, request_id, call_id, lane_id, schedule_id, data)
      VALUES (${event.kind}, ${event.actor.caller}, ${event.actor.keyId}::uuid, ${event.projectId ?? null},
              ${event.requestId ?? null}::uuid, ${event.callId ?? null}::uuid, ${event.laneId ?? null}, ${event.scheduleId ?? null}::uuid,
              ${event.data ?? {}}::jsonb)`;
  }
}
