import type pg from 'pg';
import { connectWithin } from '../src/platform/database/connect.js';
import { aCredential, CallingWorld, unlimited } from '../test/support/calling-world.js';
import { writeBacklog } from '../test/support/backlog.js';
import type { Benchmark } from './support/benchmark.js';
import { ms, type Finding } from './support/report.js';
import type { Stage } from './support/stage.js';
import { inTurns, median, timed } from './support/statistics.js';
import { projectOf } from './support/upstream.js';

const PER_TASK = 100;
const PROJECTS = 10;
const SMALL = 10;
const LARGE = 10_000;
const ROUNDS = { warmUp: 20, counted: 100 };

export const start: Benchmark = {
  name: 'start',
  about: `the starting transaction with ${LARGE * PER_TASK} targets waiting over ${LARGE} scan tasks, against ${SMALL * PER_TASK} over ${SMALL}; a tenth parked, a tenth in backoff`,
  run: runStart,
};

async function runStart(stage: Stage): Promise<Finding[]> {
  const [large, small] = [await Ground.open(), await Ground.open()];
  try {
    await small.fill(0, SMALL);
    await large.fill(0, SMALL);
    await Promise.all([small.query('ANALYZE'), large.query('ANALYZE')]);
    await large.fill(SMALL, LARGE - SMALL);
    stage.say(`filled: ${JSON.stringify(await large.census())}`);
    const findings = [await compare('start a call, statistics from 1,000 targets', large, small)];
    for (const ground of [small, large]) await ground.query('VACUUM ANALYZE');
    findings.push(await compare('start a call, after VACUUM ANALYZE', large, small));
    return findings;
  } finally {
    await large.close();
    await small.close();
  }
}

async function compare(what: string, large: Ground, small: Ground): Promise<Finding> {
  const seen = await inTurns(ROUNDS, { ours: () => large.start(), floor: () => small.start() });
  const [ours, floor] = [median(seen.ours), median(seen.floor)];
  return { what, ours: ms(ours), floor: ms(floor), measured: ours / floor, target: { atMost: 2 } };
}

/** A database with a backlog, in which the same call is started again and again. */
class Ground {
  private constructor(
    private readonly world: CallingWorld,
    private readonly client: pg.Client,
  ) {}

  static async open(): Promise<Ground> {
    const projects = Array.from({ length: PROJECTS }, (_one, index) => projectOf(index));
    const world = await CallingWorld.open({ credentials: [aCredential({ projects, retryTask: unlimited })] });
    const ground = new Ground(world, await connectWithin(world.database.url, 5_000));
    // Statistics are what this benchmark says they are.
    await ground.query('ALTER TABLE target SET (autovacuum_enabled = off)');
    await ground.query('ALTER TABLE request SET (autovacuum_enabled = off)');
    return ground;
  }

  async close(): Promise<void> {
    await this.client.end();
    await this.world.close();
  }

  async query(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  fill(first: number, tasks: number): Promise<void> {
    return writeBacklog(this.client, { first, tasks, clustersPerTask: PER_TASK, projects: PROJECTS, mixed: true });
  }

  async census(): Promise<unknown> {
    const { rows } = await this.client.query(
      `SELECT count(*)::int AS waiting, count(*) FILTER (WHERE due_at = 'infinity')::int AS parked,
              count(*) FILTER (WHERE due_at > now() AND due_at < 'infinity')::int AS "inBackoff" FROM target`,
    );
    return rows[0];
  }

  async start(): Promise<number> {
    let callId = '';
    const took = await timed(async () => {
      callId = (await this.world.start()).id;
    });
    await this.undo(callId);
    return took;
  }

  /** As if it had not been, but for the dead rows. */
  private async undo(callId: string): Promise<void> {
    await this.client.query(
      `WITH call AS (DELETE FROM call WHERE id = $1),
            part AS (DELETE FROM call_request WHERE call_id = $1 RETURNING request_id),
            live AS (DELETE FROM live_cluster WHERE call_id = $1),
            back AS (UPDATE target SET state = 'waiting', call_id = NULL, call_ids = '{}' WHERE call_id = $1 AND request_id IN (SELECT request_id FROM part)
                     RETURNING due_at)
       UPDATE request SET waiting = waiting + sending, sending = 0, next_due_at = (SELECT min(due_at) FROM back)
        WHERE id IN (SELECT request_id FROM part)`,
      [callId],
    );
  }
}
