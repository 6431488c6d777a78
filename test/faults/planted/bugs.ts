import type { FaultRule } from '../../../src/simulator/simulator.js';

interface Edit {
  /** Under `src/`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What is done while the load runs, beside the bad weather of every run. */
export type Provocation =
  | 'none'
  | 'a large request'
  | 'kill the api'
  | 'die with a due time'
  | 'block before sending'
  | 'stop after sending'
  | 'clock behind';

export interface PlantedBug {
  readonly edits: readonly Edit[];
  /** Any of these must be broken. */
  readonly caughtBy: readonly string[];
  readonly provocation?: Provocation;
  readonly weather?: readonly FaultRule[];
  readonly sizes?: readonly number[];
}

const lost = (work: 'none' | 'all', probability: number): FaultRule => ({
  operation: 'RetryTask',
  times: null,
  probability,
  effect: { kind: 'no_answer', work },
});

/** Mistakes that somebody could make, each as an edit of the source: the suite is worth what it finds of them. */
export const PLANTED: Readonly<Record<string, PlantedBug>> = {
  'answer before commit': {
    edits: [
      {
        file: 'intake/intake.service.ts',
        from: 'return this.prisma.transact(async (tx) => {',
        to: 'return new Promise((answer, refuse) => void this.prisma.transact(async (tx) => {',
      },
      {
        file: 'intake/intake.service.ts',
        from: "crashPoint('submit.stored');\n      return taken;\n    });",
        to: 'answer(taken); await new Promise((later) => setTimeout(later, 300)); return taken;\n    }).then(answer, refuse));',
      },
      {
        file: 'intake/intake.service.ts',
        from: 'await this.reader.findAsAccepted(requestId, principal)',
        to: '{ id: requestId } as never',
      },
    ],
    caughtBy: ['accepted is stored'],
    provocation: 'kill the api',
  },
  'call row after the call': {
    edits: [
      {
        file: 'ledger/calls.ts',
        from: 'requestIds: readonly string[]): Promise<void> {\n    await tx.$executeRaw`',
        to: 'requestIds: readonly string[]): Promise<void> {\n    await Promise.resolve(); setTimeout(() => void this.prisma.$executeRaw`',
      },
      {
        file: 'ledger/calls.ts',
        from: 'SELECT ${call.id}::uuid, id FROM unnest(${[...requestIds]}::uuid[]) AS id`;',
        to: 'SELECT ${call.id}::uuid, id FROM unnest(${[...requestIds]}::uuid[]) AS id`.catch(() => 0), 400);',
      },
      { file: 'ledger/calls.ts', from: 'return row?.free ?? false;', to: 'return row?.free ?? true;' },
    ],
    caughtBy: ['every RetryTask call has a row that was committed before it'],
    weather: [{ operation: 'RetryTask', times: null, effect: { kind: 'latency', ms: 250 } }],
  },
  'settling without a guard': {
    edits: [
      {
        file: 'ledger/calls.ts',
        from: "WHERE id = ${call.id}::uuid AND state = ${call.state}::call_state\n         AND (state = 'sending' OR (state = 'unknown' AND verdict_due_at IS NOT NULL))`;",
        to: 'WHERE id = ${call.id}::uuid`;',
      },
      {
        file: 'calling/call-settler.ts',
        from: 'if (!isOpen(call, decision)) return this.late.settle(tx, call, decision);',
        to: 'void isOpen;',
      },
      {
        file: 'calling/target-settler.ts',
        from: 'throw new Error(`call ${id} is ${state} and has no targets any more`);',
        to: "return (id, 'unknown');",
      },
    ],
    caughtBy: ['a call changes as its state machine allows'],
    provocation: 'stop after sending',
    weather: [lost('none', 0.7)],
  },
  'unknown taken for not sent': {
    edits: [{ file: 'upstream/exchange.ts', from: 'started: this.#startedAt !== null,', to: 'started: false,' }],
    caughtBy: ['no call claims more than the upstream has seen', 'nothing is repeated before its fate is known'],
    weather: [lost('all', 0.3)],
  },
  'no hold on clusters but the job': {
    edits: [
      {
        file: 'ledger/filling.ts',
        from: 'SELECT ${task.projectId}, ${task.taskId}, cluster_id, ${callId}::uuid FROM picked ORDER BY cluster_id\n        ON CONFLICT DO NOTHING',
        to: 'SELECT ${task.projectId}, ${task.taskId}, cluster_id, ${callId}::uuid FROM picked ORDER BY cluster_id\n        ON CONFLICT (project_id, task_id, cluster_id) DO UPDATE SET call_id = excluded.call_id',
      },
    ],
    caughtBy: ['a cluster is in no two live calls'],
  },
  "lease by the worker's clock": {
    edits: [
      {
        file: 'calling/call-starter.ts',
        from: 'leaseUntil: new Date(startedAt.getTime() + leaseMs)',
        to: 'leaseUntil: new Date(Date.now() + leaseMs)',
      },
    ],
    caughtBy: ['a lease is as long as the time-outs and the margin'],
    provocation: 'clock behind',
  },
  'no check in the hook': {
    edits: [
      {
        file: 'upstream/exchange.ts',
        from: 'if (!this.#ended && this.request.mayStart()) {',
        to: 'if (!this.#ended) {',
      },
      { file: 'ledger/calls.ts', from: 'return row?.free ?? false;', to: 'return row !== undefined;' },
    ],
    caughtBy: ['nothing leaves after its lease'],
    provocation: 'block before sending',
  },
  'an HTTP client that repeats by itself': {
    edits: [
      {
        file: 'upstream/hss-client.ts',
        from: 'retry(call: RetryCall): Promise<RetryAnswer> {\n    return this.#call(call, retryTask(call), classifyAnswer);',
        to: `async retry(call: RetryCall): Promise<RetryAnswer> {
    const first = await this.#call(call, retryTask(call), classifyAnswer);
    return first.outcome.kind === 'unknown' ? this.#call(call, retryTask(call), classifyAnswer) : first;`,
      },
    ],
    caughtBy: ['a call reaches the upstream at most once'],
    weather: [lost('all', 0.3)],
  },
  'a window held in each process': {
    edits: [
      {
        file: 'ledger/lanes.ts',
        from: 'SELECT lane_id, slot_free_at FROM call UNION ALL',
        to: 'SELECT lane_id, slot_free_at FROM call WHERE worker LIKE ${`%-${process.pid}`} UNION ALL',
      },
    ],
    caughtBy: ['no window is exceeded at the upstream'],
    sizes: Array.from({ length: 24 }, () => 6),
  },
  'a key that is not scoped to the caller': {
    edits: [
      {
        file: 'intake/intake.service.ts',
        from: 'this.requests.takeKey(tx, { caller, key,',
        to: "this.requests.takeKey(tx, { caller: 'everybody', key,",
      },
    ],
    caughtBy: ["a caller's answer is about the caller's own request"],
  },
  '201 clusters in a call': {
    edits: [{ file: 'domain/call.ts', from: 'MAX_CLUSTERS_PER_CALL = 200', to: 'MAX_CLUSTERS_PER_CALL = 201' }],
    caughtBy: ['a call names at most 200 clusters'],
    provocation: 'a large request',
    sizes: [450],
  },
  'a secret in a job': {
    edits: [
      {
        file: 'platform/queues/bells.ts',
        from: "laneIds.map((laneId) => ({ name: 'look', data: { laneId } }))",
        to: "laneIds.map((laneId) => ({ name: 'look', data: { laneId, key: process.env['HSS_SK'] } }))",
      },
    ],
    caughtBy: ['no secret is found anywhere'],
  },
  'a secret in a log': {
    edits: [
      {
        file: 'calling/caller.ts',
        from: "crashPoint('send.before');",
        to: "this.logger.debug({ msg: 'signing', key: process.env['HSS_SK'] });",
      },
    ],
    caughtBy: ['no secret is found anywhere'],
  },
  'a pause that nobody looks at': {
    edits: [
      {
        file: 'domain/lane.ts',
        from: "if (isAfter(lane.pausedUntil, lane.now)) return closed('pause', lane.pausedUntil);",
        to: '',
      },
    ],
    caughtBy: ['no call starts in a pause'],
    weather: [
      {
        operation: 'RetryTask',
        times: null,
        probability: 0.5,
        effect: { kind: 'throttle', policy: 'user', limit: 5, windowMs: 3_000 },
      },
    ],
  },
  'an unknown call is sent again without a lookup': {
    edits: [
      {
        file: 'domain/decide.ts',
        from: "targets: { kind: 'stay' },\n      };\n    case 'throttled':",
        to: "targets: again(0),\n      };\n    case 'throttled':",
      },
    ],
    caughtBy: ['nothing is repeated before its fate is known'],
    weather: [lost('all', 0.3)],
  },
  'a lookup that does not wait for the grace': {
    edits: [
      {
        file: 'calling/call-settler.ts',
        from: 'after(new Date(Math.max(call.leaseUntil.getTime(), call.now.getTime())), lookup.graceMs)',
        to: 'after(call.now, 0)',
      },
    ],
    caughtBy: ['an unknown call ends by a lookup after its grace, or by its own answer'],
    weather: [lost('all', 0.3)],
  },
  'a cluster is free once its call is accepted': {
    edits: [
      {
        file: 'calling/target-settler.ts',
        from: 'await this.watches.begin(tx, id, now, this.config.policy.verdict.poll);',
        to: 'await this.watches.begin(tx, id, now, this.config.policy.verdict.poll); await tx.$executeRaw`DELETE FROM live_cluster WHERE call_id = ${id}::uuid`;',
      },
    ],
    caughtBy: ['a cluster is in no two live calls'],
  },
  'a verdict ends what has ended as well': {
    edits: [
      {
        file: 'ledger/verdicts.ts',
        from: "((t.state::text = 'in_call' AND t.call_id = told.call_id AND",
        to: "((t.state::text <> 'waiting' AND",
      },
      {
        file: 'ledger/verdicts.ts',
        from: 'FROM moved GROUP BY request_id, was, came`;',
        to: "FROM moved WHERE was <> 'done' GROUP BY request_id, was, came`;",
      },
    ],
    caughtBy: ['a target ends once'],
  },
  'an accepted call is not watched': {
    edits: [
      {
        file: 'calling/target-settler.ts',
        from: 'await this.watches.begin(tx, id, now, this.config.policy.verdict.poll);',
        to: 'void [tx, id, now];',
      },
    ],
    caughtBy: ['accepted calls are watched at each commit'],
  },
  'a schedule moves on before its fire is stored': {
    edits: [
      {
        file: 'schedules/due-schedules.ts',
        from: ': await this.takeOnce(tx, schedule, planned.plan, now);',
        to: ': (setTimeout(() => void this.prisma.transact((own) => this.takeOnce(own, schedule, planned.plan as never, now)), 100), null);',
      },
    ],
    caughtBy: ['a schedule moves on with a fire, and not without'],
    provocation: 'die with a due time',
  },
  'a fire is stored under the moment at which it was taken': {
    edits: [{ file: 'schedules/due-schedules.ts', from: 'const fire = { dueAt,', to: 'const fire = { dueAt: now,' }],
    caughtBy: ['no due time of a schedule is lost', 'a schedule moves on with a fire, and not without'],
  },
  'a callback counts as delivered before it is sent': {
    edits: [
      {
        file: 'callbacks/delivery.ts',
        from: 'const answer = await this.sender.send({ caller, url, headers, body: notice.body }, cutOff);',
        to: "void this.sender.send({ caller, url, headers, body: notice.body }, cutOff); const answer: CallbackAnswer = { kind: 'answered', status: 200, retryAfterMs: null };",
      },
    ],
    caughtBy: ['the end of a request is told to whoever asked for it'],
  },
  'a callback is sent again without a try': {
    edits: [
      {
        file: 'callbacks/sender.ts',
        from: 'return await this.post(outgoing, over.signal);',
        to: 'await this.post(outgoing, over.signal); return await this.post(outgoing, over.signal);',
      },
    ],
    caughtBy: ['a notice has a try that was written down before it'],
  },
};
