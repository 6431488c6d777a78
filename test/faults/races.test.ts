import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSafely, type RunContext } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';

const world = aWorld();

const RACES: readonly (readonly [string, (context: RunContext) => Promise<void>])[] = [
  [
    '50 submissions with one key',
    async ({ world: here, load, random }) => {
      const [task] = here.tasks([20]);
      const [client] = here.clients;
      if (!task || !client) throw new Error('a world without clients');
      for (let times = 0; times < 3; times += 1) {
        const key = `race-${here.postgres.url.length}-${Date.now()}-${times}`;
        const { projectId, taskId } = task;
        const body = { projectId, taskId, range: 'specific_cluster', clusterIds: random.some(task.clusterIds, 10) };
        await Promise.all(Array.from({ length: 50 }, () => load.submit(client, body, key)));
        const answers = load.submitted.filter(({ submission }) => submission === key);
        expect(answers).toHaveLength(50);
        expect(new Set(answers.map(({ request_id: id }) => id)).size).toBe(1);
      }
    },
  ],
  [
    'the same clusters in opposite order',
    async ({ world: here, load }) => {
      const [task] = here.tasks([120]);
      if (!task) throw new Error('a world without tasks');
      const { projectId, taskId, clusterIds } = task;
      const orders = [clusterIds, [...clusterIds].reverse()];
      await Promise.all(
        Array.from({ length: 16 }, (_, index) => {
          const client = here.clients[index % here.clients.length];
          const body = { projectId, taskId, range: 'specific_cluster', clusterIds: orders[index % 2] ?? [] };
          return client ? load.submit(client, body, `order-${Date.now()}-${index}`) : Promise.resolve(null);
        }),
      );
      await sleep(1_000);
    },
  ],
  [
    'cancel against start',
    async ({ world: here, load, random }) => {
      const tasks = here.tasks(Array.from({ length: 12 }, () => 6));
      await Promise.all(
        tasks.map(async ({ projectId, taskId, clusterIds }, index) => {
          const client = random.pick(here.clients);
          const body = { projectId, taskId, range: 'specific_cluster', clusterIds };
          await load.submit(client, body, `cancel-${Date.now()}-${index}`, random.whole(0, 120));
        }),
      );
      await sleep(1_000);
    },
  ],
  [
    'sweeps, bells and restarted workers on one lane',
    async ({ world: { workers } }) => {
      for (let times = 0; times < 3; times += 1) {
        for (const worker of workers) {
          await sleep(700);
          await worker.stop();
          await worker.start();
        }
      }
    },
  ],
];

describe('races', () => {
  it.each(RACES.map(([name, during], index) => [name, index, during] as const))('%s', async (name, index, during) => {
    await runSafely(await world(), { name: `race: ${name}`, seed: SEED * 1_000 + 600 + index, during });
  });
});
