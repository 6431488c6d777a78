import { createHash } from 'node:crypto';
import pg from 'pg';
import type { CredentialConfig } from '../../src/config/app-config.js';
import { leaveItToTheNextQuery } from '../../src/platform/database/connect.js';
import { HssClient } from '../../src/upstream/hss-client.js';
import { retryTaskBody, type RetryRange } from '../../src/upstream/wire.js';

/** A call that somebody else has chosen. */
interface ReadyCall {
  readonly requestId: string;
  readonly scanTaskId: string;
  readonly lane: number;
  readonly projectId: string;
  readonly taskId: string;
  readonly targetIds: readonly string[];
  readonly clusterIds: readonly string[];
  readonly range: RetryRange;
  readonly body: string;
}

export interface FloorOptions {
  readonly inFlight: number;
  /** With the rows of `live_cluster` and `call_request` too, which the service writes for its own ends. */
  readonly everyRow: boolean;
}

const PER_CALL = 200;
/** As the service has it: DATABASE_POOL_SIZE. */
const CONNECTIONS = 10;

/**
 * The least that a program does which sends these calls and writes them down: before and after each, one transaction through
 * `pg`, with prepared statements. The bodies, and which targets go together, are given; the client is the service's own.
 */
export class DrainFloor {
  private readonly pool: pg.Pool;
  private readonly client: HssClient;
  private calls: ReadyCall[] = [];

  constructor(
    databaseUrl: string,
    credentials: readonly CredentialConfig[],
    private readonly options: FloorOptions,
  ) {
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS });
    this.pool.on('error', leaveItToTheNextQuery);
    this.client = new HssClient(credentials, new Map());
  }

  async close(): Promise<void> {
    await this.client.close(0);
    await this.pool.end();
  }

  /** Reads the backlog into calls; requests take turns, so that two calls at once seldom change the same row. */
  async prepare(): Promise<void> {
    const { rows } = await this.pool.query<Omit<ReadyCall, 'range' | 'body'>>(
      `SELECT request_id AS "requestId", t.scan_task_id AS "scanTaskId", s.project_id AS "projectId", s.task_id AS "taskId",
              split_part(s.project_id, '-', 2)::int AS lane,
              array_agg(t.id::text ORDER BY t.cluster_id) AS "targetIds", array_agg(t.cluster_id ORDER BY t.cluster_id) AS "clusterIds"
         FROM (SELECT *, (row_number() OVER (PARTITION BY request_id ORDER BY cluster_id) - 1) / ${PER_CALL} AS part FROM target) AS t
         JOIN scan_task AS s ON s.id = t.scan_task_id
        GROUP BY 1, 2, 3, 4, part ORDER BY part, t.scan_task_id`,
    );
    this.calls = rows.map((row) => {
      const clusters = row.clusterIds.map((clusterId) => ({ clusterId, scanTypes: 0 }));
      const range = { rangeType: 'specific_cluster', clusters } as const;
      return { ...row, range, body: retryTaskBody(range) };
    });
  }

  async drain(): Promise<void> {
    const waiting = [...this.calls];
    const worker = async (): Promise<void> => {
      for (let call = waiting.shift(); call; call = waiting.shift()) await this.carryOut(call);
    };
    await Promise.all(Array.from({ length: this.options.inFlight }, worker));
  }

  private async carryOut(call: ReadyCall): Promise<void> {
    const { id, startedAt } = await this.begin(call);
    const { projectId, taskId, range, body } = call;
    const credential = `lane-${call.lane}`;
    const mayStart = (): boolean => true;
    const answer = await this.client.retry({
      ...{ credential, projectId, taskId, enterpriseProjectId: '0', range, body, at: startedAt, mayStart },
    });
    if (answer.outcome.kind !== 'accepted') throw new Error(`the floor's call was ${answer.outcome.kind}`);
    await this.settle(id, call, answer.durationMs);
  }

  private begin(call: ReadyCall): Promise<{ id: string; startedAt: Date }> {
    return this.transact(async (client) => {
      const { rows } = await client.query<{ id: string; startedAt: Date }>({
        name: 'insert',
        text: `INSERT INTO call (lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks,
                                 body_sha256, started_at, lease_until, slot_free_at, policy_version, worker)
               SELECT $1 || '.retryTask', $1, $2, $3, 'specific_cluster', $4, $5::bigint[], '{}', $6, now,
                      now + interval '45 s', 'infinity', '1', 'floor' FROM rescan_now() AS now
               RETURNING id, started_at AS "startedAt"`,
        values: [
          `lane-${call.lane}`,
          call.scanTaskId,
          call.projectId,
          call.targetIds.length,
          call.targetIds,
          createHash('sha256').update(call.body).digest(),
        ],
      });
      const [born] = rows;
      if (!born) throw new Error('no call was written');
      await client.query({
        name: 'targets',
        text: `UPDATE target SET state = 'in_call', call_id = $1, call_ids = call_ids || $1::uuid WHERE id = ANY($2::bigint[])`,
        values: [born.id, call.targetIds],
      });
      if (this.options.everyRow) await this.writeRest(client, born.id, call);
      await client.query({
        name: 'sending',
        text: `UPDATE request SET waiting = waiting - $2, sending = sending + $2 WHERE id = $1`,
        values: [call.requestId, call.targetIds.length],
      });
      return born;
    });
  }

  private async writeRest(client: pg.PoolClient, callId: string, call: ReadyCall): Promise<void> {
    await client.query({
      name: 'live',
      text: `INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
             SELECT $1, $2, cluster_id, $3 FROM unnest($4::text[]) AS cluster_id`,
      values: [call.projectId, call.taskId, callId, call.clusterIds],
    });
    await client.query({
      name: 'call_request',
      text: 'INSERT INTO call_request (call_id, request_id) VALUES ($1, $2)',
      values: [callId, call.requestId],
    });
  }

  private settle(id: string, call: ReadyCall, durationMs: number | null): Promise<void> {
    return this.transact(async (client) => {
      await client.query({
        name: 'end',
        text: `UPDATE call SET state = 'accepted', finished_at = now, slot_free_at = now, verdict_due_at = now + interval '6 hours',
                               http_status = 200, duration_ms = $2, decision = '{}'
                 FROM rescan_now() AS now WHERE id = $1`,
        values: [id, durationMs],
      });
      await client.query({
        name: 'accepted',
        text: `UPDATE request SET sending = sending - $2, accepted = accepted + $2, next_due_at = CASE WHEN waiting = 0 THEN 'infinity' ELSE next_due_at END
                WHERE id = $1`,
        values: [call.requestId, call.targetIds.length],
      });
    });
  }

  private async transact<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } finally {
      client.release();
    }
  }
}
