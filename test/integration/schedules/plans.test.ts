import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeBacklog } from '../../support/backlog.js';
import { aCredential, CallingWorld, unlimited } from '../../support/calling-world.js';

import { listenToPlans, type Plan } from '../../support/plans.js';
import { aSchedule, failedClusters } from '../../support/schedules.js';
import { connectWithin } from '../../../src/platform/database/connect.js';

/** More than the five executions after which Postgres may settle for a plan that knows no values. */
const TURNS = 7;
const GROWING = [
  'schedule',
  'schedule_fire',
  'fire_task',
  'fire_cluster',
  'target',
  'request',
  'call',
  'scan_task',
  'live_cluster',
];

describe('with 5,000 schedules, 50,000 fires and 50,000 targets', () => {
  let world: CallingWorld;
  const plans: Plan[] = [];

  beforeAll(async () => {
    const limits = { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited };
    world = await CallingWorld.open({
      credentials: [aCredential({ limits })],
      connect: (url) => listenToPlans(url, (plan) => plans.push(plan)),
    });
    const client = await connectWithin(world.database.url, 5_000);
    await writeBacklog(client, { first: 0, tasks: 500, clustersPerTask: 100, projects: 10, mixed: true });
    await client.query(`
      INSERT INTO schedule (name, project_id, enterprise_project_id, caller, key_id, terms, anchor_at, next_due_at, next_fire_at, planned_at)
      SELECT 'schedule ' || n, 'project-' || n % 10, '0', 'bench', uuidv7(), '{}', now(), now() + interval '1 day', now() + interval '1 day', now()
        FROM generate_series(1, 5000) AS n;
      INSERT INTO schedule_fire (schedule_id, project_id, enterprise_project_id, due_at, kind, state, terms, created_at, expires_at,
                                 ended_at, step)
      SELECT id, project_id, '0', now() - n * interval '1 hour', 'scheduled', 'done', '{}', now(), now(), now(), 'clusters'
        FROM schedule CROSS JOIN generate_series(1, 10) AS n;
      INSERT INTO fire_task (fire_id, task_id, place, state, reason)
      SELECT id, 'task-1', 1, 'left_out', 'no_failures' FROM schedule_fire`);
    await client.end();
  }, 60_000);
  afterAll(() => world.close());

  const expectBounded = async (work: () => Promise<unknown>, rows: number): Promise<void> => {
    plans.length = 0;
    await work();
    expect(plans).not.toHaveLength(0);
    for (const { sql, rows: read, readWhole } of plans.splice(0)) {
      const statement = sql.replace(/\s+/g, ' ').trim().slice(0, 120);
      const tooMany = Object.entries(read).filter(([table, count]) => GROWING.includes(table) && count > rows);
      const whole = readWhole.filter((table) => GROWING.includes(table));
      expect({ statement, whole, tooMany }).toEqual({ statement, whole: [], tooMany: [] });
    }
  };

  it('a sweep reads what is due, and nothing else', async () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      await expectBounded(() => world.dueSchedules.take(), 10);
      await expectBounded(() => world.fires.projectsDue(world.prisma), 10);
    }
  });

  it('a fire reads what it is about', async () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const limits = { triesPerDay: 3, minPause: '1h' };
      await aSchedule(world, { selection: { taskIds: [`fresh-${turn}`] }, perCluster: limits, projectId: 'project-1' });
      await world.database.advance(3_600_000);
      await expectBounded(() => world.dueSchedules.take(), 10);
      // Half of them are known from other scan tasks, as in production.
      const known = await world.prisma.target.findMany({ select: { clusterId: true }, take: 100, skip: 1_000 * turn });
      const ids = known.map(({ clusterId }, n) => (n % 2 === 0 ? `new-${n}` : (clusterId ?? '')));
      await expectBounded(() => world.list(failedClusters(ids)), 4 * ids.length);
    }
    expect(await world.prisma.request.count({ where: { source: 'schedule' } })).toBe(TURNS);
  });
});
