import { randomUUID } from 'node:crypto';
import { CallbackReader } from '../../src/callbacks/callback-reader.js';
import { RequestCallbackPageDto } from '../../src/callbacks/callback.dto.js';
import { Delivery, type StartedTry } from '../../src/callbacks/delivery.js';
import { CallbackSender } from '../../src/callbacks/sender.js';
import type { AppConfig, CallbackConfig } from '../../src/config/app-config.js';
import { Secret } from '../../src/config/secret.js';
import { CallbackTurnLedger, type CallbackTurns } from '../../src/ledger/callback-turns.js';
import { CallbackLedger } from '../../src/ledger/callbacks.js';
import { Clock } from '../../src/platform/clock.js';
import { Metrics } from '../../src/platform/telemetry/metrics.js';
import type { Principal } from '../../src/security/principal.js';
import { CallingWorld } from './calling-world.js';

export const CALLBACK_SECRET = `whsec_${Buffer.alloc(32, 's').toString('base64')}`;

interface Page {
  readonly limit: number;
  readonly cursor?: string;
}

export const ANY: CallbackTurns = { fullCallers: [], fullOrigins: [], lastCaller: null };

export const owner: Principal = { keyId: '', caller: 'tester', scopes: ['requests:read'], projects: '*' };

class DyingLedger extends CallbackLedger {
  override lockTry(): never {
    throw new Error('the process is gone');
  }
}

/** The room of callbacks over a database of its own; receivers are the test's. */
export class CallbackWorld {
  readonly callbacks: CallbackLedger;
  readonly delivery: Delivery;
  /** Of a process that dies as soon as its receiver has answered. */
  readonly dying: Delivery;
  readonly reader: CallbackReader;
  readonly metrics = new Metrics();
  private readonly never = new AbortController().signal;

  private constructor(
    readonly world: CallingWorld,
    readonly config: AppConfig,
  ) {
    const { prisma } = world;
    this.callbacks = new CallbackLedger(prisma);
    this.reader = new CallbackReader(prisma);
    const sender = new CallbackSender(config.callbacks);
    const of = (ledger: CallbackLedger): Delivery =>
      new Delivery(config, prisma, new Clock(), new CallbackTurnLedger(), ledger, sender, this.metrics);
    this.delivery = of(this.callbacks);
    this.dying = of(new DyingLedger(prisma));
  }

  static async open(changed: Partial<CallbackConfig> = {}): Promise<CallbackWorld> {
    const world = await CallingWorld.open();
    const callbacks = { ...world.config.callbacks, secrets: [new Secret(CALLBACK_SECRET)], timeoutMs: 500, ...changed };
    return new CallbackWorld(world, { ...world.config, callbacks });
  }

  close(): Promise<void> {
    return this.world.close();
  }

  advance(ms: number): Promise<void> {
    return this.world.database.advance(ms);
  }

  /** A request that is at its end, as a cancel ends one. */
  async anEndedRequest(callbackUrl: string | null, caller = 'tester'): Promise<string> {
    const id = await this.world.aRequest({ clusterIds: ['a', 'b'], taskId: randomUUID(), callbackUrl, caller });
    await this.end(id);
    return id;
  }

  async end(requestId: string): Promise<void> {
    await this.world.requests.markCancelled(requestId, { caller: 'tester', keyId: randomUUID() });
    await this.world.requests.endWaiting(requestId);
  }

  /** A try that must be due. */
  async start(turns: Partial<CallbackTurns> = {}): Promise<StartedTry> {
    const turn = await this.delivery.start({ ...ANY, ...turns });
    if (turn.kind !== 'started') throw new Error(`no callback is due; the next at ${String(turn.nextDueAt)}`);
    return turn.started;
  }

  finish(started: StartedTry, by = this.delivery): Promise<void> {
    return by.finish(started, this.never);
  }

  /** Tries what must be due, to the end. */
  async deliver(): Promise<void> {
    await this.finish(await this.start());
  }

  async isAnyStarted(): Promise<boolean> {
    return (await this.delivery.start(ANY)).kind === 'started';
  }

  /** As its caller reads it. */
  read(requestId: string, principal = owner, page: Page = { limit: 50 }): Promise<RequestCallbackPageDto> {
    return this.reader.ofRequest(requestId, page, principal);
  }
}
