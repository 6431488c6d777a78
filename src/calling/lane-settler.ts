import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { assertNever } from '../domain/assert-never.js';
import type { CallOutcome } from '../domain/call-outcome.js';
import type { LaneDecision } from '../domain/decide.js';
import { nextCredential, nextHealth } from '../domain/lane.js';
import { LaneLedger } from '../ledger/lanes.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** What is known of a lane, under its lock. */
export interface LaneFacts {
  readonly laneId: string;
  readonly credential: string;
  readonly failureStreak: number;
  readonly breakerOpenUntil: Date | null;
  readonly confirmed: boolean;
  /** When the call that was answered began. */
  readonly startedAt: Date;
  readonly now: Date;
}

/** Draws the consequences of an outcome for the lane and its credential; of a list call as of a retry. */
@Injectable()
export class LaneSettler {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly lanes: LaneLedger,
  ) {}

  async apply(tx: Tx, facts: LaneFacts, decision: LaneDecision, outcome: CallOutcome, sent: boolean): Promise<void> {
    if (decision.kind === 'pause') {
      const until = new Date(facts.now.getTime() + decision.pauseMs);
      await this.lanes.pause(tx, facts.laneId, decision.scope, until);
      const { scope: policy, told } = decision;
      await this.lanes.lowerLimit(tx, facts.laneId, { ...facts, quietSince: until, told, policy });
    }
    const health = nextHealth(facts, decision, this.config.policy, facts.now);
    if (health.failureStreak !== facts.failureStreak || health.breakerOpenUntil !== facts.breakerOpenUntil) {
      await this.lanes.saveHealth(tx, facts.laneId, health);
    }
    if (outcome.kind !== 'accepted') await this.lanes.saveError(tx, facts.laneId, outcome);
    await this.applyToCredential(tx, facts, outcome, sent);
  }

  /** Its row is locked only where it may change: a confirmed credential that is answered stays as it is. */
  private async applyToCredential(tx: Tx, facts: LaneFacts, outcome: CallOutcome, sent: boolean): Promise<void> {
    const kind = credentialAnswer(outcome, sent);
    if (kind === 'none' || (kind === 'answered' && facts.confirmed)) return;
    const before = await this.lanes.lockCredential(tx, facts.credential);
    const { now } = facts;
    // Each wrong signature counts upstream, six lock the key; a dead token is refused as often as it was sent.
    const startedAt = this.hasToken(facts.credential) ? facts.startedAt : now;
    const health = nextCredential(before, kind, this.config.policy, { now, startedAt });
    await this.lanes.saveCredential(tx, facts.credential, health);
  }

  private hasToken(credential: string): boolean {
    return this.config.credentials.some(({ name, auth }) => name === credential && auth.kind === 'password');
  }
}

function credentialAnswer(outcome: CallOutcome, sent: boolean): 'refused' | 'answered' | 'none' {
  const answered = sent && outcome.evidence.httpStatus !== null ? 'answered' : 'none';
  switch (outcome.kind) {
    case 'blocked':
      return outcome.by === 'authentication' ? 'refused' : answered;
    case 'not_sent':
      return 'none';
    case 'accepted':
    case 'throttled':
    case 'unavailable':
    case 'rejected':
    case 'unknown':
      return answered;
    default:
      return assertNever(outcome);
  }
}
