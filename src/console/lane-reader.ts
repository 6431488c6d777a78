import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate, type LaneSituation } from '../domain/lane.js';
import { LaneLedger } from '../ledger/lanes.js';
import { noSuchThing } from '../platform/http/path-id.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { otherProject } from '../security/own.js';
import { mayTouch, type Principal } from '../security/principal.js';
import { LaneDto } from './lane.dto.js';

interface LaneLoad {
  waitingTargets: number;
  oldestWaitingAt: Date | null;
  unknownCalls: number;
  lastErrorCode: string | null;
  lastErrorText: string | null;
  lastErrorAt: Date | null;
}

@Injectable()
export class LaneReader {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly lanes: LaneLedger,
  ) {}

  /** The lanes that serve a project of the caller's. */
  async list(principal: Principal): Promise<LaneDto[]> {
    const lanes = lanesOf(this.config).filter((lane) => serves(lane, principal));
    return Promise.all(lanes.map((lane) => this.describe(lane, principal)));
  }

  /** @throws DomainError `not_found`, also for a lane that serves none of the caller's projects */
  find(id: string, principal: Principal): Lane {
    const lane = lanesOf(this.config).find((one) => one.id === id);
    if (!lane) throw noSuchThing();
    if (!serves(lane, principal)) throw otherProject();
    return lane;
  }

  /** What waits is counted for the caller's own projects; the text of an error may name others'. */
  async describe(lane: Lane, principal: Principal): Promise<LaneDto> {
    const { situation, windowMs, configured } = await this.lanes.read(this.prisma, lane.id);
    const load = await this.load(lane, principal);
    const gate = laneGate(situation);
    return {
      id: lane.id,
      credential: lane.credential.name,
      operation: lane.operation,
      limit: situation.calls,
      configuredLimit: configured,
      windowMs,
      slotsInUse: situation.slotsInUse,
      nextCallAt: gate.open ? situation.now : gate.until,
      pausedUntil: situation.pausedUntil && situation.pausedUntil > situation.now ? situation.pausedUntil : null,
      breaker: breakerOf(situation),
      blockedBy: gate.open ? null : gate.blockedBy,
      lastError: load.lastErrorAt
        ? {
            code: load.lastErrorCode ?? 'unknown',
            text: principal.projects === '*' ? load.lastErrorText : null,
            at: load.lastErrorAt,
          }
        : null,
      waitingTargets: load.waitingTargets,
      oldestWaitingAt: load.oldestWaitingAt,
      unknownCalls: load.unknownCalls,
    };
  }

  /** From the counts of the requests with waiting targets, never by counting targets. */
  private async load({ id, credential }: Lane, principal: Principal): Promise<LaneLoad> {
    const served = credential.projects;
    const own = principal.projects;
    const all = served === '*' && own === '*';
    const projects = [served, own].find((list) => list !== '*') ?? [];
    const both = served !== '*' && own !== '*' ? served.filter((project) => own.includes(project)) : [...projects];
    const [load] = await this.prisma.$queryRaw<LaneLoad[]>`
      SELECT work.*, lane.last_error_code AS "lastErrorCode", lane.last_error_text AS "lastErrorText",
             lane.last_error_at AS "lastErrorAt",
             (SELECT count(*)::int FROM call
               WHERE lane_id = lane.id AND state = 'unknown' AND verdict_due_at IS NOT NULL
                 AND (${all} OR project_id = ANY(${both}::text[]))) AS "unknownCalls"
        FROM lane
       CROSS JOIN (
             SELECT coalesce(sum(waiting), 0)::int AS "waitingTargets", min(created_at) AS "oldestWaitingAt"
               FROM request WHERE waiting > 0 AND (${all} OR project_id = ANY(${both}::text[]))) AS work
       WHERE lane.id = ${id}`;
    if (!load) throw new Error(`no lane ${id}`);
    return load;
  }
}

function serves({ credential }: Lane, principal: Principal): boolean {
  if (credential.projects === '*' || principal.projects === '*') return true;
  return credential.projects.some((project) => mayTouch(principal, project));
}

function breakerOf({ breakerOpenUntil, now }: LaneSituation): LaneDto['breaker'] {
  if (!breakerOpenUntil) return 'closed';
  return breakerOpenUntil > now ? 'open' : 'half_open';
}
