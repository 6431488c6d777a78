import { setTimeout as sleep } from 'node:timers/promises';
import type { Member } from '../support/member.js';
import { nextCallMs } from '../support/recovery.js';
import type { Fault, RunContext } from '../support/run.js';

export const POSTGRES_FAULTS: readonly Fault[] = [
  {
    name: 'Postgres restarted at once, five times',
    during: async ({ world, world: { postgres }, recoveryMs }) => {
      for (let times = 0; times < 5; times += 1) {
        await sleep(1_000);
        await postgres.crash();
        recoveryMs['back to next call, at most'] = Math.max(
          recoveryMs['back to next call, at most'] ?? 0,
          await nextCallMs(world),
        );
      }
    },
  },
  {
    name: 'Postgres backends ended every 100 ms',
    during: async ({ world, world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      for (let times = 0; times < 50; times += 1) {
        await postgres.terminateBackends();
        await sleep(100);
      }
      recoveryMs['let go to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Postgres connections used up',
    during: async ({ world, world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      await postgres.terminateBackends();
      const letGo = await postgres.hogConnections();
      await sleep(3_000);
      await letGo();
      recoveryMs['let go to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Postgres read-only',
    during: async ({ world, world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      await postgres.setForAll('default_transaction_read_only', 'on');
      await sleep(3_000);
      await postgres.resetForAll('default_transaction_read_only');
      recoveryMs['writable to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Postgres the answers of commits lost on the way to the api',
    during: (context) => loseCommits(context, context.world.api),
  },
  {
    name: 'Postgres the answers of commits lost on the way to a worker',
    during: (context) => loseCommits(context, context.world.workers[0]),
  },
  {
    name: 'Postgres answers cut after some bytes',
    during: async ({ world: { members }, random }) => {
      for (let times = 0; times < 20; times += 1) {
        const { toPostgres } = random.pick(members);
        toPostgres.fault = { cutAfterBytes: random.whole(0, 4_000) };
        await sleep(150);
        toPostgres.heal();
        await sleep(100);
      }
    },
  },
];

/** It is done, and nobody is told: the connection breaks where the answer should come. */
async function loseCommits({ random }: RunContext, member: Member): Promise<void> {
  const COMMITTED = Buffer.from('COMMIT\0');
  const probability = 0.15;
  member.toPostgres.fault = { mayAnswer: (chunk) => !chunk.includes(COMMITTED) || !random.chance(probability) };
  await sleep(7_000);
  member.toPostgres.heal();
}
