import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient, type NewRequest } from '../../support/api-client.js';
import type { Random } from '../../support/random.js';

/** What a client was told, once for each answer. */
export interface Submitted {
  readonly submission: string;
  readonly caller: string;
  readonly idempotency_key: string;
  readonly status: number;
  readonly request_id: string | null;
  readonly targets: number;
  readonly whole_task: boolean;
}

export interface LoadTask {
  readonly projectId: string;
  readonly taskId: string;
  readonly clusterIds: readonly string[];
}

interface Client {
  readonly caller: string;
  readonly api: ApiClient;
}

const RETRY_MS = 250;
/** While the api is away nobody is answered, and those who wait must not drown it when it comes back. */
const MAX_UNDER_WAY = 12;

/** Callers that submit and cancel as callers do: what failed or was not answered is sent again with the same key. */
export class Load {
  readonly submitted: Submitted[] = [];
  /** Everything that any answer said, for the search for secrets. */
  readonly answers: string[] = [];
  #running = true;
  #paused = false;
  readonly #under = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  #count = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly random: Random,
    private readonly clients: readonly Client[],
    readonly tasks: readonly LoadTask[],
    private readonly name: string,
    private readonly everyMs: number,
    private readonly callbackUrl: string,
  ) {}

  start(): void {
    this.#loop = this.#run();
  }

  /** Starts nothing new, and waits until each submission has its answer. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#under);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Submits nothing for a while: what was submitted is worked on. */
  async pause(ms: number): Promise<void> {
    this.#paused = true;
    await sleep(ms);
  }

  resume(): void {
    this.#paused = false;
  }

  get accepted(): number {
    return new Set(this.submitted.filter(({ status }) => status === 202).map(({ request_id: id }) => id)).size;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      if (!this.#paused && this.#under.size < MAX_UNDER_WAY) {
        const one = this.#one()
          .catch((error: unknown) => this.#failures.push(error))
          .then(() => void this.#under.delete(one));
        this.#under.add(one);
      }
      await sleep(this.everyMs * (0.5 + this.random.next()));
    }
  }

  async #one(): Promise<void> {
    const { random } = this;
    this.#count += 1;
    const key = `${this.name}-${this.#count}`;
    const body = this.#body();
    const asks = random.chance(0.15) ? this.clients : [random.pick(this.clients)];
    const cancelAfterMs = random.chance(0.15) ? random.whole(0, 400) : null;
    // Two callers with one key are two wishes; and one caller may be impatient.
    const twice = random.chance(0.2);
    await Promise.all(
      asks.flatMap((client) =>
        Array.from({ length: twice ? 2 : 1 }, () => this.submit(client, body, key, cancelAfterMs)),
      ),
    );
  }

  /** Until it is answered for good. */
  async submit(client: Client, body: NewRequest, key: string, cancelAfterMs: number | null = null): Promise<void> {
    const labelled = { ...body, labels: { submission: key } };
    for (;;) {
      const answer = await client.api.trySubmit(labelled, key).catch(() => null);
      if (answer) this.answers.push(JSON.stringify(answer.body));
      if (!answer || answer.status >= 500 || answer.status === 429) {
        await sleep(RETRY_MS);
        continue;
      }
      // A wish whose moment passed before it could be stored; anything else would be a mistake of this client.
      if (answer.status !== 202 && answer.body.code !== 'deadline_in_past') {
        throw new Error(`${answer.status} to a submission: ${JSON.stringify(answer.body)}`);
      }
      this.submitted.push({
        submission: key,
        caller: client.caller,
        idempotency_key: key,
        status: answer.status,
        request_id: answer.status === 202 ? answer.body.id : null,
        targets: body.clusterIds?.length ?? 1,
        whole_task: body.range === 'all_failed_cluster',
      });
      if (cancelAfterMs !== null && answer.status === 202) await this.#cancel(client, answer.body.id, cancelAfterMs);
      return;
    }
  }

  async #cancel(client: Client, id: string, afterMs: number): Promise<void> {
    await sleep(afterMs);
    for (let tries = 0; tries < 50; tries += 1) {
      const answer = await client.api.cancel(id).catch(() => null);
      if (answer && answer.status < 500) return;
      await sleep(RETRY_MS);
    }
  }

  #body(): NewRequest {
    const { random } = this;
    const { projectId, taskId, clusterIds } = random.pick(this.tasks);
    const common = {
      projectId,
      taskId,
      priority: random.pick(['urgent', 'normal', 'background']),
      ...(random.chance(0.5) ? { callbackUrl: this.callbackUrl } : {}),
      ...(random.chance(0.1) ? { deadline: new Date(Date.now() + random.whole(700, 1_500)).toISOString() } : {}),
    };
    if (random.chance(0.06)) return { ...common, range: 'all_failed_cluster' };
    const most = Math.min(clusterIds.length, random.chance(0.1) ? clusterIds.length : 12);
    return { ...common, range: 'specific_cluster', clusterIds: random.some(clusterIds, random.whole(1, most)) };
  }
}
