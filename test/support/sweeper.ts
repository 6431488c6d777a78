import { RequestEnds } from '../../src/callbacks/request-ends.js';
import { DueCallbacks } from '../../src/callbacks/due-callbacks.js';
import { Lookers } from '../../src/calling/lookers.js';
import { CallbackLedger } from '../../src/ledger/callbacks.js';
import { PastRequestLedger } from '../../src/ledger/past-requests.js';
import { Clock } from '../../src/platform/clock.js';
import { Heartbeats } from '../../src/platform/health/heartbeats.js';
import type { Bells } from '../../src/platform/queues/bells.js';
import { Metrics } from '../../src/platform/telemetry/metrics.js';
import { Logger } from '@nestjs/common';
import { DueLanes } from '../../src/sweeping/due-lanes.js';
import { PastRequests } from '../../src/sweeping/past-requests.js';
import { Sweeper } from '../../src/sweeping/sweeper.js';
import type { CallingWorld } from './calling-world.js';

// What it warns of is what these tests bring about.
Logger.overrideLogger(false);

/** A sweeper that sweeps when told, and not by itself. */
export function aSweeper(world: CallingWorld, bells: Bells): Sweeper {
  const clock = new Clock();
  const metrics = new Metrics();
  const callbacks = new CallbackLedger(world.prisma);
  return new Sweeper(
    world.config,
    clock,
    new Heartbeats(clock),
    world.prisma,
    new DueLanes(world.config, world.prisma, bells, world.laneLedger, world.choosing, world.works, new Lookers()),
    // This world signs no callbacks: nothing is rung for, and nothing delivered.
    new DueCallbacks(world.config, callbacks, undefined as never, undefined as never),
    world.overdue,
    world.lists,
    world.requests,
    world.settler,
    world.verdicts,
    world.dueSchedules,
    metrics,
    new RequestEnds(callbacks, undefined as never, metrics),
    new PastRequests(world.config, clock, new PastRequestLedger(world.prisma)),
  );
}
