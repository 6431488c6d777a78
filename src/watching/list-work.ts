import { Injectable } from '@nestjs/common';
import type { Lane, Operation } from '../config/lanes.js';
import type { ListPurpose } from '../domain/list-purpose.js';
import type { ListLane } from '../ledger/listings.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ResourceQuery, TaskQuery } from '../upstream/scan-tasks.js';
import type { ListCallAnswer } from './list-answer.js';

/** What is asked for, besides project and page. A list of clusters names its scan task. */
export type ListFilter = Partial<Pick<ResourceQuery, 'taskId' | 'clusterId' | 'scanStatus'>> &
  Pick<TaskQuery, 'taskStatus' | 'taskName' | 'triggerType' | 'createdFrom' | 'scanTypes'>;

/** One page that somebody waits for, taken from all others until its call could have ended. */
export interface ListJob {
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  /** Null: a list of a project's scan tasks. */
  readonly scanTaskId: bigint | null;
  /** The unknown call that it looks up. */
  readonly callId: string | null;
  readonly offset: number;
  readonly filter: ListFilter;
  /**
   * Draws the consequence of the answer; the lane and the scan task, where there is one, are locked.
   * @param now read under these locks
   * @returns the requests that ended by it
   */
  apply(tx: Tx, answer: ListCallAnswer, now: Date): Promise<string[]>;
  /** Operations for which the answer may have made something due in the project: without a bell it would wait for the sweep. */
  dueAfter?(answer: ListCallAnswer): readonly Operation[];
  /** Once all of it is committed. */
  settled?(): void;
}

/** One purpose that pages are read for. Each is sure of one call a window, and the lanes are nobody's business but the starter's. */
export interface ListWork {
  readonly purpose: ListPurpose;
  /** The page of this lane's operation and projects that has waited longest. */
  take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<ListJob | null>;
  /** When the next one may be read through this lane, due or not. */
  nextDueAt(tx: Tx, lane: Lane, now: Date): Promise<Date | null>;
  /** Projects with a page that is due, and the operation that reads it: whose lanes want a bell. */
  projectsDue(tx: Tx): Promise<readonly ProjectDue[]>;
}

export interface ProjectDue {
  readonly projectId: string;
  readonly operation: Operation;
}

/** Who reads through a lane. */
export const readerOf = ({ credential }: Lane): ListLane => ({
  credential: credential.name,
  projects: credential.projects,
});

/** All purposes; each room brings its own. */
@Injectable()
export class ListWorks {
  private readonly works = new Map<ListPurpose, ListWork>();

  register(work: ListWork): void {
    this.works.set(work.purpose, work);
  }

  get(purpose: ListPurpose): ListWork | undefined {
    return this.works.get(purpose);
  }

  all(): readonly ListWork[] {
    return [...this.works.values()];
  }
}
