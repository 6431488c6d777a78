import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OPERATOR_SCOPES, retryOf, ServiceRig } from '../../support/service-rig.js';
import type { ServiceProcess } from '../../support/service-process.js';
import { answerFaults } from './answer-faults.js';
import { readCases } from './bad-input-case.js';
import { caseRunner, type CaseRunner } from './run-case.js';

const cases = readCases();
const TABLES = [
  'project',
  'scan_task',
  'request',
  'target',
  'call',
  'call_request',
  'idempotency_key',
  'event',
  'schedule',
];

let rig: ServiceRig;
let service: ServiceProcess;
let run: CaseRunner;
let goodKey: string;
let before: Record<string, number>;

beforeAll(async () => {
  rig = await ServiceRig.open({ credentials: [{ projects: ['project-1', 'project-2'] }] });
  service = await rig.start();
  const key = async (scopes: string[], caller = 'good', projects = ['*']) =>
    (await rig.client({ scopes, caller, projects })).key;
  const good = await rig.client({ caller: 'good', scopes: OPERATOR_SCOPES });
  goodKey = good.key;
  const [mine, foreign] = await Promise.all(
    ['project-1', 'project-2'].map(async (projectId) => {
      const task = rig.task(2, { projectId });
      const { id } = await good.submit(retryOf(task));
      await good.untilAllAccepted(id);
      return { ...task, requestId: id, callId: (await good.calls(id))[0]?.id ?? '' };
    }),
  );
  run = caseRunner({
    baseUrl: service.url,
    keys: {
      good: good.key,
      unknown: `rescan_${randomBytes(32).toString('base64url')}`,
      readonly: await key(['requests:read']),
      schedules: await key(['schedules:write']),
      oneproject: await key(['requests:read', 'requests:write'], 'good', ['project-1']),
      othercaller: await key(['requests:read', 'requests:write', 'audit:read'], 'other'),
    },
    placeholders: {
      projectId: mine!.projectId,
      taskId: mine!.taskId,
      requestId: mine!.requestId,
      callId: mine!.callId,
      laneId: 'main.retryTask',
      foreignProjectId: foreign!.projectId,
      foreignRequestId: foreign!.requestId,
      foreignCallId: foreign!.callId,
      unservedProjectId: 'project-9',
    },
  });
  before = await rowCounts();
});

afterAll(() => rig.close());

async function rowCounts(): Promise<Record<string, number>> {
  const counts = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
  return (await rig.query<Record<string, number>>(`SELECT ${counts.join(', ')}`))[0]!;
}

describe('bad input', () => {
  it.each(cases.map((badInput) => [`${badInput.group}: ${badInput.name}`, badInput] as const))(
    '%s',
    async (_title, badInput) => {
      const answer = await run(badInput);
      expect(answer.status).toBeLessThan(500);
      expect(answerFaults(badInput, answer)).toEqual([]);
    },
  );

  it('with a body that nobody wants is answered, and the connection ends when all of it has come, where that was asked for', async () => {
    const { hostname, port } = new URL(service.url);
    const half = Buffer.alloc(9 * 1024 * 1024, ' ');
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const received = readText(socket);
    const head = ['POST /v1/requests HTTP/1.1', 'Host: x', `Content-Length: ${2 * half.length}`, 'Connection: close'];
    socket.write(
      `${[...head, 'Content-Type: application/json', `Authorization: Bearer ${goodKey}`].join('\r\n')}\r\n\r\n`,
    );
    socket.write(half);
    await once(socket, 'drain');
    socket.write(half);
    expect(await received).toMatch(/^HTTP\/1.1 413 /);
  });

  it('changed nothing, and was no fault of the service', async () => {
    expect(await rowCounts()).toEqual(before);
    expect(service.log().filter(({ level }) => level >= 50)).toEqual([]);
  });
});
