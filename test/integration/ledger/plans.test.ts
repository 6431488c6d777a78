import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { CallbackReader } from '../../../src/callbacks/callback-reader.js';
import { RequestReader } from '../../../src/intake/request-reader.js';
import { TargetReader } from '../../../src/intake/target-reader.js';
import { CallbackTurnLedger, type CallbackTurns } from '../../../src/ledger/callback-turns.js';
import { CallbackLedger } from '../../../src/ledger/callbacks.js';
import { ChoosingLedger } from '../../../src/ledger/choosing.js';
import { WatchLedger } from '../../../src/ledger/watches.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import type { Principal } from '../../../src/security/principal.js';
import { autovacuum } from '../../support/autovacuum.js';
import { writeBacklog, type Backlog } from '../../support/backlog.js';
import { aCredential, answered, CallingWorld } from '../../support/calling-world.js';
import { clusters, runningTasks, scan } from '../../support/list-pages.js';
import { listenToPlans, type Plan } from '../../support/plans.js';

/** More than the five executions after which Postgres may settle for a plan that knows no values. */
const CALLS = 8;
const PROJECTS = 10;
const PER_CALL = 200;
const PAGE = { limit: 50 };
/** Tables that grow without bound: of these, nothing is read from end to end. */
const GROWING = [
  'target',
  'request',
  'call',
  'call_request',
  'scan_task',
  'live_cluster',
  'event',
  'idempotency_key',
  'watch',
  'scan_item',
  'cluster_scan',
  'listed_cluster',
  'fire_cluster',
  'callback',
  'callback_try',
];

/** As far as callbacks go, one caller has 10,000 due for three receivers. */
const BACKLOGGED = 'backlogged';
const DEAD = [0, 1, 2].map((n) => `https://dead.example:${n}`);
const NOBODY_FULL: CallbackTurns = { fullCallers: [], fullOrigins: [], lastCaller: null };

const operator: Principal = { keyId: '', caller: 'operator', scopes: [], projects: '*' };
const stranger: Principal = { ...operator, projects: ['project-3'] };

class Ground {
  private constructor(
    readonly world: CallingWorld,
    private readonly client: pg.Client,
    private readonly plans: Plan[],
  ) {}

  static async open(size: Pick<Backlog, 'tasks' | 'clustersPerTask' | 'mixed'>): Promise<Ground> {
    const plans: Plan[] = [];
    const projects = Array.from({ length: PROJECTS }, (_one, index) => `project-${index}`);
    const world = await CallingWorld.open({
      credentials: [aCredential({ projects, retryTask: { calls: 1_000, windowMs: 60_000 } })],
      connect: (url) => listenToPlans(url, (plan) => plans.push(plan)),
    });
    const client = await connectWithin(world.database.url, 5_000);
    // Statistics are what the test says they are.
    await client.query('ALTER TABLE target SET (autovacuum_enabled = off)');
    await client.query('ALTER TABLE request SET (autovacuum_enabled = off)');
    await writeBacklog(client, { first: 0, projects: PROJECTS, ...size });
    await writeCallbacks(client);
    return new Ground(world, client, plans);
  }

  async close(): Promise<void> {
    await this.client.end();
    await this.world.close();
  }

  async analyse(): Promise<void> {
    await autovacuum(this.client);
  }

  /** How Postgres carried out each statement of `work`. */
  async plansOf(work: () => Promise<unknown>): Promise<Plan[]> {
    this.plans.length = 0;
    await work();
    return this.plans.splice(0);
  }
}

/** Of each request, which waits for its end, of many more that are told already, and of one caller that nobody takes: a backlog. */
async function writeCallbacks(client: pg.Client): Promise<void> {
  const [url, origin] = ['https://caller.example/told', 'https://caller.example'];
  await client.query('INSERT INTO callback (request_id, caller, url, origin) SELECT id, caller, $1, $2 FROM request', [
    url,
    origin,
  ]);
  await client.query(
    `INSERT INTO callback (request_id, caller, url, origin, state, finished_at, tries)
     SELECT uuidv7(), 'caller', $1, $2, 'delivered', rescan_now(), 1 FROM generate_series(1, 20000)`,
    [url, origin],
  );
  await client.query(
    `INSERT INTO callback (request_id, caller, url, origin, state, due_at)
     SELECT uuidv7(), $1, origin, origin, 'pending', rescan_now() - interval '1 day'
       FROM generate_series(1, 10000) AS n, unnest($2::text[]) WITH ORDINALITY AS dead (origin, place) WHERE n % 3 + 1 = place`,
    [BACKLOGGED, DEAD],
  );
  await client.query(
    `INSERT INTO callback_try (request_id, number, started_at, finished_at, http_status, worker)
     SELECT request_id, 1, finished_at, finished_at, 204, '' FROM callback WHERE state = 'delivered'`,
  );
}

/** Clusters that wait for a scan task, in no call, and that its listing shows scanning. */
async function waitingClusters({ world: { prisma } }: Ground): Promise<{ scanTaskId: bigint; ids: string[] }> {
  const rows = await prisma.$queryRaw<{ scanTaskId: bigint; id: string }[]>`
    WITH task AS MATERIALIZED (
      SELECT scan_task_id FROM target AS t
       WHERE state = 'waiting' AND due_at <= rescan_now() AND priority > 0 AND scan_seen_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM live_cluster AS l WHERE l.cluster_id = t.cluster_id)
       LIMIT 1)
    SELECT scan_task_id AS "scanTaskId", cluster_id AS id FROM target AS t
     WHERE scan_task_id = (SELECT scan_task_id FROM task) AND state = 'waiting' AND due_at <= rescan_now()
       AND NOT EXISTS (SELECT 1 FROM live_cluster AS l WHERE l.cluster_id = t.cluster_id) LIMIT ${PER_CALL}`;
  const [scanTaskId] = rows.map((row) => row.scanTaskId);
  if (scanTaskId === undefined) throw new Error('nothing waits');
  const ids = rows.map(({ id }) => id);
  // A large request wants a listing of its own, which would be read first.
  await prisma.listing.deleteMany();
  await prisma.listedCluster.deleteMany();
  await prisma.listedCluster.createMany({
    data: ids.map((clusterId) => ({ scanTaskId, clusterId, scanStatus: 'scanning', failedTypes: 0 })),
  });
  return { scanTaskId, ids };
}

/** Statement by statement: a failure says which one read too much, and of what. */
function expectBounded(plans: readonly Plan[], bounds: { rows: number; buffers?: number }): void {
  expect(plans).not.toHaveLength(0);
  for (const { sql, rows, buffers, readWhole } of plans) {
    const statement = sql.replace(/\s+/g, ' ').trim().slice(0, 120);
    const tooMany = Object.entries(rows).filter(([table, read]) => GROWING.includes(table) && read > bounds.rows);
    const whole = readWhole.filter((table) => GROWING.includes(table));
    expect({ statement, whole, tooMany }).toEqual({ statement, whole: [], tooMany: [] });
    expect({ statement, buffers }).toEqual({ statement, buffers: Math.min(buffers, bounds.buffers ?? 1_000) });
  }
}

/** As if what is in the call had been found by fires, one for each request. */
async function requestedByFires(prisma: CallingWorld['prisma'], callId: string): Promise<void> {
  await prisma.$executeRaw`
    WITH found AS (
      INSERT INTO fire_cluster (fire_id, task_id, cluster_id, reasons)
      SELECT DISTINCT t.request_id, s.task_id, t.cluster_id, '{"benchmark": "timeout"}'::jsonb
        FROM target AS t JOIN scan_task AS s ON s.id = t.scan_task_id WHERE t.call_id = ${callId}::uuid
      ON CONFLICT DO NOTHING RETURNING fire_id)
    UPDATE request SET source = 'schedule', labels = jsonb_build_object('fire', id) WHERE id IN (SELECT fire_id FROM found)`;
}

describe.each([
  [
    '500 scan tasks of 100 clusters, a tenth of them parked and a tenth in backoff',
    { tasks: 500, clustersPerTask: 100, mixed: true },
  ],
  ['one scan task of 20,000 clusters', { tasks: 1, clustersPerTask: 20_000, mixed: false }],
])('with %s waiting', (_title, size) => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await Ground.open(size);
  }, 60_000);
  afterAll(() => ground.close());

  describe.each([
    ['before any statistics', () => Promise.resolve()],
    ['with fresh statistics', () => ground.analyse()],
  ])('%s', (_phase, prepare) => {
    beforeAll(prepare);

    it('reads what the call takes, and nothing of what waits besides', async () => {
      for (let call = 0; call < CALLS; call += 1) {
        const plans = await ground.plansOf(() => ground.world.start());
        // Of the ten tasks next in turn, as much as a call takes, and then what the call itself looks at.
        expectBounded(plans, { rows: 10 * PER_CALL, buffers: 50 * PER_CALL });
      }
    });

    it.each([
      ['was accepted', answered.accepted],
      ['has to be repeated', answered.gatewayDown],
      ['ended its targets', answered.badTask],
      ['is to be split', answered.badCluster],
    ])('settles a call that %s by reading its targets alone', async (_outcome, outcome) => {
      for (let call = 0; call < CALLS; call += 1) {
        await ground.world.prisma.$executeRaw`UPDATE lane SET breaker_open_until = NULL, failure_streak = 0`;
        const started = await ground.world.start();
        const plans = await ground.plansOf(() => ground.world.settle(started, outcome));
        expectBounded(plans, { rows: 4 * PER_CALL, buffers: 50 * PER_CALL });
      }
    });

    it('reads a page for verdicts by its clusters alone', async () => {
      const { world } = ground;
      const { prisma } = world;
      await prisma.$executeRaw`UPDATE lane SET calls = NULL WHERE operation <> 'retryTask'`;
      for (let call = 0; call < CALLS; call += 1) {
        const started = await world.start();
        await world.settle(started, answered.accepted);
        await requestedByFires(prisma, started.id);
        await prisma.$executeRaw`UPDATE watch SET due_at = rescan_now()`;
        expectBounded(await ground.plansOf(() => world.lookAtLists(world.laneFor('listTasks'))), { rows: PER_CALL });
        const { id } = started;
        await prisma.$executeRaw`
          UPDATE watch SET step = 'failed', began_at = NULL, "offset" = 0,
                 due_at = CASE WHEN scan_task_id = (SELECT scan_task_id FROM call WHERE id = ${id}::uuid)
                               THEN rescan_now() ELSE 'infinity' END`;
        const turn = await world.lookAtLists();
        if (turn.kind !== 'started' || turn.started.purpose !== 'verdict')
          throw new Error('no page of verdicts is due');
        const endTime = new Date(Date.now() + 60_000);
        const rows = (await world.calls.clusters(prisma, id)).map(({ clusterId }) =>
          scan(clusterId ?? '', call % 2 === 0 ? 'failed' : 'success', { endTime }),
        );
        const plans = await ground.plansOf(() => world.settleList(turn.started, clusters(rows)));
        expectBounded(plans, { rows: 4 * PER_CALL, buffers: 60 * PER_CALL });
        expect(await prisma.call.count({ where: { id, verdictDueAt: { not: null } } })).toBe(0);
      }
    });

    it('reads a page for awaited scans by their clusters alone', async () => {
      const { world } = ground;
      const { prisma } = world;
      await prisma.$executeRaw`UPDATE lane SET calls = NULL WHERE operation <> 'retryTask'`;
      const lists = world.laneFor('listTasks');
      for (let pass = 0; pass < CALLS; pass += 1) {
        const { scanTaskId, ids } = await waitingClusters(ground);
        const awaiting = { now: new Date(), atMostMs: 3_600_000, spareMs: 0 };
        const began = await ground.plansOf(() =>
          prisma.transact(async (tx) => {
            await world.scans.await(tx, scanTaskId, new Date(), awaiting);
            await new WatchLedger().beginForScans(tx, scanTaskId, new Date(), { baseMs: 0, capMs: 0 });
          }),
        );
        expectBounded(began, { rows: 4 * PER_CALL, buffers: 60 * PER_CALL });
        await prisma.runningList.deleteMany();
        await prisma.$executeRaw`
          UPDATE watch SET step = 'running', began_at = NULL, "offset" = 0, asked_alone = 0,
                 due_at = CASE WHEN scan_task_id = ${scanTaskId} THEN rescan_now() ELSE 'infinity' END`;
        expectBounded(await ground.plansOf(() => world.list(runningTasks([]), lists)), { rows: PER_CALL });
        for (const status of ['failed', 'success'] as const) {
          const shown = status === 'failed' ? ids.slice(0, ids.length / 2) : ids.slice(ids.length / 2);
          const read = await ground.plansOf(() => world.list(clusters(shown.map((id) => scan(id, status)))));
          expectBounded(read, { rows: 4 * PER_CALL, buffers: 60 * PER_CALL });
        }
        expect(await prisma.target.count({ where: { scanTaskId, scanSeenAt: { not: null } } })).toBe(0);
        // Not these again: fewer with each pass, they would be asked for one by one.
        await prisma.target.updateMany({
          where: { scanTaskId, clusterId: { in: ids }, state: 'waiting' },
          data: { dueAt: new Date(Date.now() + 86_400_000) },
        });
      }
    });

    it('sweeps without looking at what is not due', async () => {
      const { overdue, prisma } = ground.world;
      const choosing = new ChoosingLedger();
      const { lookups, listings } = ground.world;
      const [callbacks, turns] = [new CallbackLedger(prisma), new CallbackTurnLedger()];
      for (const look of [
        () => overdue.expiredLeases(),
        () => overdue.overdueVerdicts(),
        () => overdue.expiredRequests(),
        () => overdue.dropExpiredKeys(),
        () => choosing.projectsDue(prisma, '*'),
        () => lookups.projectsDue(prisma),
        () => listings.projectsDue(prisma),
        () => new WatchLedger().projectsDue(prisma),
        () => listings.nextDueAt(prisma, { credential: 'main', projects: '*' }, 'clusters'),
        () => callbacks.anyDue(),
        () => callbacks.anyToTell([randomUUID()]),
        () => turns.nextDueAt(prisma),
        ...[{}, { fullCallers: [BACKLOGGED] }, { fullOrigins: DEAD }, { fullOrigins: DEAD.slice(1) }].map(
          (full) => () =>
            prisma.transact((tx) =>
              turns.takeDue(tx, { leaseMs: 25_000, turns: { ...NOBODY_FULL, ...full }, worker: 'w' }),
            ),
        ),
        () => choosing.queue(prisma, { id: ground.world.lane.id, virtualTime: 0 }, '*', new Date()),
        () => ground.world.laneLedger.read(prisma, ground.world.lane.id),
      ]) {
        // Nearly all of them are the lane's calls that have a slot now.
        expectBounded(await ground.plansOf(look), { rows: PER_CALL });
      }
    });

    it('takes, and ends, the try of a callback by looking at it alone', async () => {
      const { prisma } = ground.world;
      const [callbacks, turns] = [new CallbackLedger(prisma), new CallbackTurnLedger()];
      for (let tries = 0; tries < CALLS; tries += 1) {
        await prisma.$executeRaw`
          UPDATE callback SET state = 'pending', due_at = rescan_now() WHERE request_id = (SELECT id FROM request LIMIT 1)`;
        const plans = await ground.plansOf(() =>
          prisma.transact(async (tx) => {
            const next = { ...NOBODY_FULL, lastCaller: BACKLOGGED };
            const taken = await turns.takeDue(tx, { leaseMs: 25_000, turns: next, worker: 'w' });
            if (!taken || taken.caller === BACKLOGGED) throw new Error('it is the turn of the one of another caller');
            await callbacks.lockTry(tx, taken);
            const end = { httpStatus: 500, error: 'bad_status', durationMs: 1 } as const;
            await callbacks.endTry(tx, taken, end, { kind: 'again', waitMs: 1 });
          }),
        );
        expectBounded(plans, { rows: 100 });
      }
    });

    it('reads a page of requests and targets', async () => {
      const { prisma, config, laneLedger } = ground.world;
      const requests = new RequestReader(prisma);
      const callbacks = new CallbackReader(prisma);
      const targets = new TargetReader(config, prisma, laneLedger);
      const { requestId } = await prisma.callRequest.findFirstOrThrow({
        orderBy: { callId: 'desc' },
        select: { requestId: true },
      });
      for (const read of [
        () => requests.find(requestId, operator),
        () => requests.list(PAGE, operator),
        () => requests.list(PAGE, stranger),
        () => requests.list({ ...PAGE, projectId: 'project-1' }, operator),
        () => requests.list({ ...PAGE, taskId: 'task-7' }, operator),
        () => callbacks.ofRequest(requestId, PAGE, operator),
      ]) {
        expectBounded(await ground.plansOf(read), { rows: 4 * PER_CALL });
      }
      // Without statistics Postgres rather sorts a request's targets than it reads them in order: at worst all of one request.
      const page = await ground.plansOf(() => targets.list(requestId, 'project-0', PAGE));
      expectBounded(page, { rows: size.clustersPerTask, buffers: 1_000 + 2 * size.clustersPerTask });
    });
  });
});
