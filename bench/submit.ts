import type pg from 'pg';
import { connectWithin } from '../src/platform/database/connect.js';
import { createTestDatabase } from '../test/support/test-database.js';
import { clear } from '../test/support/backlog.js';
import type { Benchmark } from './support/benchmark.js';
import { clusterIdOf } from './support/cluster-id.js';
import { ms, type Finding } from './support/report.js';
import { startServiceProcess } from './support/service.js';
import type { Stage } from './support/stage.js';
import { inTurns, median, timed } from './support/statistics.js';
import { projectOf, startUpstream } from './support/upstream.js';

const CLUSTERS = 10_000;
const ROUNDS = { warmUp: 8, counted: 30 };
/** Rows of both kinds pile up in the same table; emptied often enough that it stays in memory. */
const CLEAR_EVERY = 10;

export const submit: Benchmark = {
  name: 'submit',
  about: `POST /v1/requests with ${CLUSTERS} clusters, against parsing its body and one sorted unnest insert of the same rows`,
  run: runSubmit,
};

async function runSubmit(stage: Stage): Promise<Finding[]> {
  const database = await createTestDatabase();
  const upstream = await startUpstream(stage, 1);
  // Without a worker: what is submitted stays where it is.
  const service = await startServiceProcess(stage, upstream, database.url, { ROLE: 'api' });
  const client = await connectWithin(database.url, 5_000);
  try {
    let round = 0;
    const seen = await inTurns(ROUNDS, {
      ours: async () => {
        round += 1;
        if (round % CLEAR_EVERY === 0) await clear(client);
        const body = bodyOf(`ours-${round}`);
        return timed(() => service.post('/v1/requests', body, 202));
      },
      floor: () => {
        const body = bodyOf(`floor-${round}`);
        return timed(() => insertAlone(client, body));
      },
    });
    const [ours, floor] = [median(seen.ours), median(seen.floor)];
    const what = `submit ${CLUSTERS} clusters`;
    return [{ what, ours: ms(ours), floor: ms(floor), measured: ours / floor, target: { atMost: 2 } }];
  } finally {
    await client.end();
    await service.close();
  }
}

/** The floor: the body as it came, parsed, and its rows in one statement, one transaction. */
async function insertAlone(client: pg.Client, body: string): Promise<void> {
  const { clusterIds } = JSON.parse(body) as { clusterIds: string[] };
  await client.query('BEGIN');
  await client.query({
    name: 'floor',
    text: `INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, due_at)
           SELECT request_id, 1, 1, cluster_id, 0, now
             FROM (SELECT uuidv7() AS request_id, rescan_now() AS now OFFSET 0) AS one, unnest($1::text[]) AS cluster_id
            ORDER BY cluster_id`,
    values: [clusterIds],
  });
  await client.query('COMMIT');
}

/** In no order, as ids come. */
function bodyOf(taskId: string): string {
  const clusterIds = Array.from({ length: CLUSTERS }, (_one, index) => clusterIdOf(`${taskId}/${index}`));
  return JSON.stringify({ projectId: projectOf(0), taskId, range: 'specific_cluster', clusterIds });
}
