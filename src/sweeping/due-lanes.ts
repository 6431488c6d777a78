import { Inject, Injectable, Logger } from '@nestjs/common';
import { Lookers } from '../calling/lookers.js';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate } from '../domain/lane.js';
import { ChoosingLedger, type ServedProjects } from '../ledger/choosing.js';
import { LaneLedger } from '../ledger/lanes.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Bells } from '../platform/queues/bells.js';
import { ListWorks } from '../watching/list-work.js';

/** Makes up for lost bells: rings the lanes of whatever is due, or looks at them itself while the queue is away. */
@Injectable()
export class DueLanes {
  private readonly logger = new Logger(DueLanes.name);
  private readonly lanes: readonly Lane[];
  private readonly looking = new Set<string>();

  constructor(
    @Inject(APP_CONFIG) config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly bells: Bells,
    private readonly states: LaneLedger,
    private readonly choosing: ChoosingLedger,
    private readonly works: ListWorks,
    private readonly lookers: Lookers,
  ) {
    this.lanes = lanesOf(config);
  }

  async ring(): Promise<void> {
    const due = await this.open([...new Set([...(await this.withWork()), ...(await this.withLists())])]);
    const rung = await this.bells.ring(due.map(({ id }) => id));
    crashPoint('sweep.rung');
    if (rung) return;
    for (const lane of due) this.lookAt(lane);
  }

  /** A look at a lane that may not send yet is in vain; once it may, a later sweep finds it. */
  private async open(lanes: readonly Lane[]): Promise<Lane[]> {
    if (lanes.length === 0) return [];
    const readings = await this.states.readAll(
      this.prisma,
      lanes.map(({ id }) => id),
    );
    return lanes.filter(({ id }) => {
      const reading = readings.get(id);
      return reading && laneGate(reading.situation).open;
    });
  }

  private async withWork(): Promise<Lane[]> {
    const served = servedBy(this.lanes.map(({ credential }) => credential.projects));
    const projects = await this.choosing.projectsDue(this.prisma, served);
    return projects.flatMap((projectId) => lanesServing(this.lanes, projectId, 'retryTask'));
  }

  private async withLists(): Promise<Lane[]> {
    const lanes: Lane[] = [];
    for (const work of this.works.all()) {
      for (const { projectId, operation } of await work.projectsDue(this.prisma)) {
        lanes.push(...lanesServing(this.lanes, projectId, operation));
      }
    }
    return lanes;
  }

  /** Not waited for: a look lasts as long as its calls, and the next sweep is due in a second. */
  private lookAt(lane: Lane): void {
    if (this.looking.has(lane.id)) return;
    this.looking.add(lane.id);
    this.lookers
      .look(lane)
      .catch((error: unknown) => this.logger.error({ msg: 'a look at a lane failed', laneId: lane.id, err: error }))
      .finally(() => this.looking.delete(lane.id));
  }
}

function servedBy(all: readonly ServedProjects[]): ServedProjects {
  const lists = all.filter((projects) => projects !== '*');
  return lists.length < all.length ? '*' : [...new Set(lists.flat())];
}
