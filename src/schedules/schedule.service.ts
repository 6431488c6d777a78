import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { DomainError } from '../domain/domain-error.js';
import { refuseForeign } from '../intake/ownership.js';
import { EventLedger } from '../ledger/events.js';
import { FireLedger } from '../ledger/schedule-fires.js';
import { ScheduleLedger, type ScheduleOrder, type ScheduleRow } from '../ledger/schedules.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { Bells } from '../platform/queues/bells.js';
import { own, requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { fireExpiry } from './fire-expiry.js';
import { differenceOf } from './difference.js';
import { nextFire, withJitter } from './next-fire.js';
import { ChangeScheduleDto, CreateScheduleDto } from './schedule-body.dto.js';
import { changed, hasOtherTiming, toOrder } from './to-order.js';

/** What callers do with schedules; the worker takes their due times. */
@Injectable()
export class ScheduleService {
  private readonly lanes: readonly Lane[];

  constructor(
    @Inject(APP_CONFIG) config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly schedules: ScheduleLedger,
    private readonly fires: FireLedger,
    private readonly events: EventLedger,
    private readonly bells: Bells,
  ) {
    this.lanes = lanesOf(config);
  }

  /** @returns its id */
  create({ projectId, enabled = true, ...body }: CreateScheduleDto, principal: Principal): Promise<string> {
    requireProject(projectId, principal);
    this.refuseUnserved(projectId);
    return this.prisma.transact(async (tx) => {
      const { id, now } = await this.schedules.newId(tx);
      const order = toOrder(body, now);
      const next = enabled ? nextFire({ id, terms: order.terms, anchorAt: now }, now) : null;
      if (!(await this.schedules.insert(tx, { ...order, id, projectId, enabled }, principal, next, now))) {
        throw nameTaken();
      }
      await this.record(tx, 'schedule.created', { id, projectId }, principal, { ...order, enabled });
      return id;
    });
  }

  /** Of its timing, what changes counts from now on; a fire that is open goes on as it began. */
  change(id: string, { enabled, ...change }: ChangeScheduleDto, principal: Principal): Promise<void> {
    return this.locked(id, principal, async (tx, schedule, now) => {
      const isOnlySwitched =
        enabled !== undefined && Object.values<unknown>({ ...change }).every((value) => value === undefined);
      const order = isOnlySwitched ? schedule : changed(schedule, change, now);
      if (order.name !== schedule.name && (await this.schedules.isNameTaken(tx, schedule, order.name))) {
        throw nameTaken();
      }
      await this.apply(tx, schedule, order, enabled ?? schedule.pausedAt === null, now);
      const difference = differenceOf(
        { ...schedule, enabled: schedule.pausedAt === null },
        { ...order, enabled: enabled ?? schedule.pausedAt === null },
      );
      if (Object.keys(difference).length === 0) return;
      await this.record(tx, 'schedule.changed', schedule, principal, difference);
    });
  }

  /** What is due while it is paused is not caught up: nobody wanted it then. Twice is fine. */
  setEnabled(id: string, enabled: boolean, principal: Principal): Promise<void> {
    return this.locked(id, principal, async (tx, schedule, now) => {
      if (enabled === (schedule.pausedAt === null)) return;
      await this.apply(tx, schedule, schedule, enabled, now);
      await this.record(tx, enabled ? 'schedule.resumed' : 'schedule.paused', schedule, principal);
    });
  }

  /** It fires no more, and what it was reading ends; its fires and their requests stay. */
  delete(id: string, principal: Principal): Promise<void> {
    return this.locked(id, principal, async (tx, schedule, now) => {
      await this.schedules.delete(tx, id, now);
      await this.fires.failOfSchedule(tx, id, 'deleted');
      await this.record(tx, 'schedule.deleted', schedule, principal);
    });
  }

  /** Now, paused or not. @returns the fire's id @throws DomainError `conflict` while the last one is open */
  async fire(id: string, principal: Principal): Promise<string> {
    const { projectId, fireId } = await this.locked(id, principal, async (tx, schedule, now) => {
      this.refuseUnserved(schedule.projectId);
      const isOpen = await this.fires.isOpen(tx, schedule.lastFireId);
      const fire = {
        dueAt: now,
        kind: 'manual',
        skipped: null,
        missedSince: null,
        now,
        expiresAt: fireExpiry(now),
      } as const;
      const born = isOpen ? null : await this.fires.insert(tx, schedule, fire);
      if (born === null) {
        throw new DomainError('conflict', 'The last fire of this schedule, or a request of it, has not ended yet.');
      }
      await this.schedules.setLastFire(tx, id, born);
      await this.record(tx, 'schedule.fired', schedule, principal, { fireId: born, kind: 'manual' });
      return { projectId: schedule.projectId, fireId: born };
    });
    const lists = (['listTasks', 'listTaskResources'] as const).flatMap((of) =>
      lanesServing(this.lanes, projectId, of),
    );
    await this.bells.ring(lists.map((lane) => lane.id));
    return fireId;
  }

  /** @throws DomainError `not_found`, also for what belongs to other projects; `forbidden` for what is another caller's */
  private locked<T>(
    id: string,
    principal: Principal,
    work: (tx: Tx, schedule: ScheduleRow, now: Date) => Promise<T>,
  ): Promise<T> {
    return this.prisma.transact(async (tx) => {
      const schedule = own(await this.schedules.lock(tx, id), principal);
      refuseForeign(schedule, principal);
      return work(tx, schedule, await this.schedules.now(tx));
    });
  }

  private async apply(tx: Tx, schedule: ScheduleRow, order: ScheduleOrder, enabled: boolean, now: Date): Promise<void> {
    const { id, pausedAt, nextDueAt } = schedule;
    const isRetimed = hasOtherTiming(schedule.terms, order.terms);
    const to = {
      name: order.name,
      enterpriseProjectId: order.enterpriseProjectId,
      terms: order.terms,
      anchorAt: isRetimed ? now : schedule.anchorAt,
      pausedAt: enabled ? null : (pausedAt ?? now),
    };
    await this.schedules.change(tx, id, to, now);
    if (!enabled) return;
    // One that is due this very moment is not lost by a change of something else.
    const next = !isRetimed && nextDueAt ? withJitter({ id, ...to }, nextDueAt) : nextFire({ id, ...to }, now);
    await this.schedules.plan(tx, id, next, now);
  }

  private record(
    tx: Tx,
    kind: string,
    { id, projectId }: Pick<ScheduleRow, 'id' | 'projectId'>,
    actor: Principal,
    data: object = {},
  ): Promise<void> {
    const plain = JSON.parse(JSON.stringify(data)) as Record<string, string>;
    return this.events.record(tx, { kind, actor, projectId, scheduleId: id, data: plain });
  }

  private refuseUnserved(projectId: string): void {
    if (lanesServing(this.lanes, projectId, 'retryTask').length > 0) return;
    throw new DomainError('project_not_served', 'No credential of rescan serves this project: ask its operators.');
  }
}

function nameTaken(): DomainError {
  return new DomainError('conflict', 'The project has a schedule of that name already: choose another one.');
}
