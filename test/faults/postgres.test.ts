import { describe, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Member } from './support/member.js';
import { nextCallMs } from './support/recovery.js';
import { runSafely, type RunContext } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';

const world = aWorld();

const FAULTS: readonly (readonly [string, (context: RunContext) => Promise<void>])[] = [
  [
    'restarted at once, five times',
    async ({ world: { postgres }, recoveryMs }) => {
      for (let times = 0; times < 5; times += 1) {
        await sleep(1_000);
        await postgres.crash();
        recoveryMs['back to next call, at most'] = Math.max(
          recoveryMs['back to next call, at most'] ?? 0,
          await nextCallMs(world),
        );
      }
    },
  ],
  [
    'backends ended every 100 ms',
    async ({ world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      for (let times = 0; times < 50; times += 1) {
        await postgres.terminateBackends();
        await sleep(100);
      }
      recoveryMs['let go to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  [
    'connections used up',
    async ({ world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      await postgres.terminateBackends();
      const letGo = await postgres.hogConnections();
      await sleep(3_000);
      await letGo();
      recoveryMs['let go to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  [
    'read-only',
    async ({ world: { postgres }, recoveryMs }) => {
      await sleep(1_000);
      await postgres.setForAll('default_transaction_read_only', 'on');
      await sleep(3_000);
      await postgres.resetForAll('default_transaction_read_only');
      recoveryMs['writable to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  ['the answers of commits lost on the way to the api', (context) => loseCommits(context, context.world.api)],
  ['the answers of commits lost on the way to a worker', (context) => loseCommits(context, context.world.workers[0])],
  [
    'answers cut after some bytes',
    async ({ world: { members }, random }) => {
      for (let times = 0; times < 20; times += 1) {
        const { toPostgres } = random.pick(members);
        toPostgres.fault = { cutAfterBytes: random.whole(0, 4_000) };
        await sleep(150);
        toPostgres.heal();
        await sleep(100);
      }
    },
  ],
];

describe('Postgres', () => {
  it.each(FAULTS.map(([name, during], index) => [name, index, during] as const))('%s', async (name, index, during) => {
    await runSafely(await world(), { name: `Postgres ${name}`, seed: SEED * 1_000 + 200 + index, during });
  });
});

/** It is done, and nobody is told: the connection breaks where the answer should come. */
async function loseCommits({ random }: RunContext, member: Member): Promise<void> {
  const COMMITTED = Buffer.from('COMMIT\0');
  const probability = 0.15;
  member.toPostgres.fault = { mayAnswer: (chunk) => !chunk.includes(COMMITTED) || !random.chance(probability) };
  await sleep(7_000);
  member.toPostgres.heal();
}
