import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../support/run.js';

export const RACES: readonly Fault[] = [
  {
    name: 'race: 50 submissions with one key',
    during: async ({ world: here, load, random }) => {
      const [task] = here.tasks([20]);
      const [client] = here.clients;
      if (!task || !client) throw new Error('a world without clients');
      for (let times = 0; times < 3; times += 1) {
        const key = `race-${here.postgres.url.length}-${Date.now()}-${times}`;
        const { projectId, taskId } = task;
        const body = { projectId, taskId, range: 'specific_cluster', clusterIds: random.some(task.clusterIds, 10) };
        await Promise.all(Array.from({ length: 50 }, () => load.submit(client, body, key)));
        const answers = load.submitted.filter(({ submission }) => submission === key);
        const requests = new Set(answers.map(({ request_id: id }) => id)).size;
        if (answers.length !== 50 || requests !== 1) throw new Error(`${answers.length} answers, ${requests} requests`);
      }
    },
  },
  {
    name: 'race: the same clusters in opposite order',
    during: async ({ world: here, load }) => {
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
  },
  {
    name: 'race: cancel against start',
    during: async ({ world: here, load, random }) => {
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
  },
  {
    name: 'race: sweeps, bells and restarted workers on one lane',
    during: async ({ world: { workers } }) => {
      for (let times = 0; times < 3; times += 1) {
        for (const worker of workers) {
          await sleep(700);
          await worker.stop();
          await worker.start();
        }
      }
    },
  },
];
