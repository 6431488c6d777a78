import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { untilNextLookMs } from '../domain/verdict-pass.js';
import { VerdictLedger } from '../ledger/verdicts.js';
import { WatchLedger, type DueView } from '../ledger/watches.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ListPage, TaskSummary } from '../upstream/scan-tasks.js';
import type { ListCallAnswer } from './list-answer.js';
import type { ListJob } from './list-work.js';

/** Which watched scan tasks of a project are running still: one page tells it of many. */
@Injectable()
export class RunningReader {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly watches: WatchLedger,
    private readonly verdicts: VerdictLedger,
  ) {}

  job(view: DueView): ListJob {
    const { onlyTaskId } = view;
    return {
      ...view,
      scanTaskId: null,
      callId: null,
      filter: { taskStatus: 'running', ...(onlyTaskId === null ? {} : { taskId: onlyTaskId }) },
      apply: (tx, answer, now) => this.apply(tx, view, answer, now),
      dueAfter: ({ outcome }) => (outcome.kind === 'read' ? ['listTaskResources'] : []),
    };
  }

  private async apply(tx: Tx, view: DueView, { outcome }: ListCallAnswer, now: Date): Promise<string[]> {
    if (!(await this.watches.isNextOfView(tx, view))) return [];
    if (outcome.kind !== 'read') {
      const waitMs = backoffMs(view.failures + 1, this.config.policy.lookup.backoff, Math.random);
      await this.watches.postponeView(tx, view, new Date(now.getTime() + waitMs));
      return [];
    }
    const page = outcome.page as ListPage<TaskSummary>;
    await this.putOffRunning(tx, view, page.rows, now);
    // A live list drifts between pages, and rows that nobody could read may be any of them: then only their clusters tell.
    const isSure = view.offset === 0 && page.rowsSeen === page.rows.length;
    if (page.nextOffset === null) await this.watches.conclude(tx, view, now, isSure);
    await this.watches.goOnWithView(tx, view, page.nextOffset, now);
    return [];
  }

  /** An upstream that does not know the filter tells of finished ones as well. */
  private async putOffRunning(tx: Tx, view: DueView, rows: readonly TaskSummary[], now: Date): Promise<void> {
    const running = new Map(rows.filter(({ taskStatus }) => taskStatus !== 'finished').map((row) => [row.taskId, row]));
    const watched = await this.watches.running(tx, view, [...running.keys()]);
    const { readThroughMs, poll } = this.config.policy.verdict;
    await this.verdicts.showRunning(
      tx,
      watched.map(({ scanTaskId }) => scanTaskId),
      view.beganAt,
    );
    await this.watches.putOff(
      tx,
      watched.map(({ scanTaskId, taskId, since }) => {
        const soFarMs = now.getTime() - since.getTime();
        // One that never comes to rest has clusters that did long ago.
        const read = soFarMs >= readThroughMs;
        const estimatedMinutes = running.get(taskId)?.estimatedMinutes ?? null;
        const waitMs = read ? 0 : untilNextLookMs({ soFarMs, estimatedMinutes }, poll);
        return { scanTaskId, read, dueAt: new Date(now.getTime() + waitMs) };
      }),
    );
  }
}
