import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { toOrder, type ScheduleBody } from '../../src/schedules/to-order.js';
import { nextFire } from '../../src/schedules/next-fire.js';
import type { TaskSummary } from '../../src/upstream/scan-tasks.js';
import type { ListCallAnswer } from '../../src/watching/list-answer.js';
import { PROJECT, type CallingWorld } from './calling-world.js';
import { clusters, read, scan } from './list-pages.js';

// What it tells is what these tests bring about.
Logger.overrideLogger(false);

/** One that fires every hour. @returns its id */
export async function aSchedule(
  world: CallingWorld,
  {
    caller = 'tester',
    enabled = true,
    projectId = PROJECT,
    ...changed
  }: Partial<ScheduleBody> & { caller?: string; enabled?: boolean; projectId?: string } = {},
): Promise<string> {
  const name = `schedule-${randomUUID()}`;
  const body = { name, selection: { lookbackHours: 24 }, ...('cron' in changed ? {} : { every: '1h' }), ...changed };
  return world.prisma.transact(async (tx) => {
    const { id, now } = await world.schedules.newId(tx);
    const order = toOrder(body, now);
    const next = enabled ? nextFire({ id, terms: order.terms, anchorAt: now }, now) : null;
    const schedule = { ...order, id, projectId, enabled };
    await world.schedules.insert(tx, schedule, { caller, keyId: randomUUID() }, next, now);
    return id;
  });
}

/** Its fires, in the order of their due times, in short: what became of each, and how many steps after the first. */
export async function firesOf(world: CallingWorld, scheduleId: string): Promise<string[]> {
  const rows = await world.prisma.scheduleFire.findMany({ where: { scheduleId }, orderBy: { dueAt: 'asc' } });
  return rows.map(({ state, reason }) => (reason === null ? state : `${state} ${reason}`));
}

export const lastFire = (world: CallingWorld, scheduleId: string) =>
  world.prisma.scheduleFire.findFirstOrThrow({ where: { scheduleId }, orderBy: { dueAt: 'desc' } });

/** A page of the list of scan tasks: how many clusters of each have failed. */
export function taskList(
  failed: Readonly<Record<string, number | null>>,
  { total = Object.keys(failed).length, nextOffset = null }: { total?: number; nextOffset?: number | null } = {},
): ListCallAnswer {
  const nothing = { startTime: null, endTime: null, estimatedMinutes: null, scanningClusters: 0, successClusters: 0 };
  const rows = Object.entries(failed).map(([taskId, failedClusters]): TaskSummary => ({
    taskId,
    taskStatus: 'finished',
    ...nothing,
    failedClusters,
  }));
  return read({ rows, rowsSeen: rows.length, total, nextOffset });
}

/** A page of the clusters of a scan task that have failed. */
export const failedClusters = (
  ids: readonly string[],
  total = ids.length,
  nextOffset: number | null = null,
): ListCallAnswer =>
  clusters(
    ids.map((id) => scan(id)),
    total,
    nextOffset,
  );
