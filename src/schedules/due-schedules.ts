import { Injectable, Logger } from '@nestjs/common';
import { planDue, type DuePlan } from '../domain/schedule-due.js';
import { msOf, type SkipReason } from '../domain/schedule.js';
import { EventLedger } from '../ledger/events.js';
import { FireLedger } from '../ledger/schedule-fires.js';
import { ScheduleLedger, type ScheduleRow } from '../ledger/schedules.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { calendarOf } from './calendar.js';
import { fireExpiry } from './fire-expiry.js';
import { nextFire, withJitter } from './next-fire.js';

/** Schedules of one sweep; the next one is a second away. */
const MOST_A_SWEEP = 200;
/** Planned further ahead than clocks differ: the clock was set back. */
const AHEAD_MS = 60_000;
/** Until one that cannot be planned is tried again. */
const UNPLANNABLE_MS = 300_000;

/** Takes due times from Postgres, each once: a fire is born in the transaction that plans the next one. */
@Injectable()
export class DueSchedules {
  private readonly logger = new Logger(DueSchedules.name);

  constructor(
    private readonly prisma: PrismaService,
    private readonly schedules: ScheduleLedger,
    private readonly fires: FireLedger,
    private readonly events: EventLedger,
  ) {}

  async take(): Promise<void> {
    const failed = await this.fires.failExpired(this.prisma);
    if (failed > 0) this.logger.warn({ msg: 'fires were not read in time, and end as failed', fires: failed });
    await this.each(
      (tx) => this.schedules.takeAhead(tx, AHEAD_MS),
      (tx, one, now) => this.planAnew(tx, one, now),
    );
    await this.each(
      (tx) => this.schedules.takeDue(tx),
      (tx, one, now) => this.fire(tx, one, now),
    );
  }

  private async each(
    find: (tx: Tx) => Promise<ScheduleRow | null>,
    work: (tx: Tx, schedule: ScheduleRow, now: Date) => Promise<Taken | null>,
  ): Promise<void> {
    for (let turns = 0; turns < MOST_A_SWEEP; turns += 1) {
      const turn = await this.prisma.transact(async (tx) => {
        const schedule = await find(tx);
        return schedule && { scheduleId: schedule.id, taken: await work(tx, schedule, await this.schedules.now(tx)) };
      });
      if (!turn) return;
      crashPoint('schedule.committed');
      const { scheduleId, taken } = turn;
      if (taken)
        this.logger.log({ msg: taken.skipped ? 'a fire was skipped' : 'a schedule fired', scheduleId, ...taken });
    }
  }

  /** What was taken before the clock was set back is found again, and not taken twice. */
  private async planAnew(tx: Tx, schedule: ScheduleRow, now: Date): Promise<null> {
    const next = this.planned(schedule, () => nextFire(schedule, now));
    if (next === undefined) await this.schedules.postpone(tx, schedule.id, UNPLANNABLE_MS);
    else await this.schedules.plan(tx, schedule.id, next, now);
    return null;
  }

  private async fire(tx: Tx, schedule: ScheduleRow, now: Date): Promise<Taken | null> {
    const { id, terms, anchorAt, nextDueAt } = schedule;
    if (!nextDueAt) throw new Error('a schedule with a moment to fire and no due time');
    const due = { nextDueAt, now, catchUp: terms.catchUp, scheduleId: id, jitterMs: msOf(terms.jitter) };
    const planned = this.planned(schedule, () => {
      const plan = planDue(calendarOf(terms, anchorAt), due);
      return { plan, next: plan.kind === 'wait' ? withJitter(schedule, nextDueAt) : nextFire(schedule, plan.dueAt) };
    });
    if (!planned) {
      await this.schedules.postpone(tx, id, UNPLANNABLE_MS);
      return null;
    }
    const taken = planned.plan.kind === 'wait' ? null : await this.takeOnce(tx, schedule, planned.plan, now);
    await this.schedules.plan(tx, id, planned.next, now);
    return taken;
  }

  /** One that this process cannot plan, since it does not know its time zone, keeps no other from it. */
  private planned<T>({ id }: ScheduleRow, plan: () => T): T | undefined {
    try {
      return plan();
    } catch (error) {
      this.logger.error({
        msg: 'a schedule could not be planned, it is tried again later',
        scheduleId: id,
        err: error,
      });
      return undefined;
    }
  }

  /** Once: whoever comes second finds the due time taken. */
  private async takeOnce(
    tx: Tx,
    schedule: ScheduleRow,
    { kind, dueAt, missedSince }: Exclude<DuePlan, { kind: 'wait' }>,
    now: Date,
  ): Promise<Taken | null> {
    const { id, projectId, caller, keyId } = schedule;
    const isOpen = await this.fires.isOpen(tx, schedule.lastFireId);
    const skipped: SkipReason | null = kind === 'missed' ? 'missed' : isOpen ? 'still_open' : null;
    const fire = { dueAt, kind: 'scheduled', skipped, missedSince, now, expiresAt: fireExpiry(now) } as const;
    const fireId = await this.fires.insert(tx, schedule, fire);
    crashPoint('schedule.fired');
    if (!fireId) return null;
    if (!skipped) await this.schedules.setLastFire(tx, id, fireId);
    const taken = { fireId, dueAt: dueAt.toISOString(), skipped };
    const actor = { caller, keyId };
    await this.events.record(tx, { kind: 'schedule.fired', actor, projectId, scheduleId: id, data: { ...taken } });
    return taken;
  }
}

/** For the record, and for the log once it is committed. */
interface Taken {
  readonly fireId: string;
  readonly dueAt: string;
  readonly skipped: SkipReason | null;
}
