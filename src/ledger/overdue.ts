import { Injectable } from '@nestjs/common';
import { PrismaService } from '../platform/prisma/prisma.service.js';

export interface OverdueCall {
  readonly id: string;
  readonly laneId: string;
}

/** As many of one kind as one sweep takes on; the next one goes on. */
const BATCH = 100;

/** What time has run out for. Only a look: whoever acts on a row guards the act himself. */
@Injectable()
export class OverdueLedger {
  constructor(private readonly prisma: PrismaService) {}

  /** Calls that are being sent by nobody any more. */
  expiredLeases(): Promise<OverdueCall[]> {
    return this.prisma.$queryRaw<OverdueCall[]>`
      SELECT id, lane_id AS "laneId" FROM call
       WHERE state = 'sending' AND lease_until <= (SELECT rescan_now()) ORDER BY lease_until LIMIT ${BATCH}`;
  }

  /** Accepted and unknown calls without a verdict in time. */
  overdueVerdicts(): Promise<OverdueCall[]> {
    return this.prisma.$queryRaw<OverdueCall[]>`
      SELECT id, lane_id AS "laneId" FROM call
       WHERE verdict_due_at <= (SELECT rescan_now()) ORDER BY verdict_due_at LIMIT ${BATCH}`;
  }

  /** Requests with targets that wait although no call may leave for them any more: too old, past their deadline, cancelled. */
  async expiredRequests(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ id: string }[]>`
      SELECT id FROM request
       WHERE waiting > 0 AND expires_at <= (SELECT rescan_now()) ORDER BY expires_at LIMIT ${BATCH}`;
    return rows.map(({ id }) => id);
  }

  async dropExpiredKeys(): Promise<number> {
    return this.prisma.$executeRaw`
      DELETE FROM idempotency_key WHERE (caller, key) IN (
        SELECT caller, key FROM idempotency_key WHERE expires_at <= (SELECT rescan_now()) LIMIT 10000)`;
  }

  /** The months to come have their partitions before they begin. */
  async ensurePartitions(): Promise<void> {
    await this.prisma.$queryRaw`SELECT ensure_partitions()`;
  }
}
