import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { retryAllOf, retryOf, ServiceRig } from '../support/service-rig.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MAX_OPEN_TARGETS = 10;

let rig: ServiceRig;
let teamA: ApiClient;
let teamB: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [{ projects: ['project-1', 'project-2'] }],
    env: { MAX_OPEN_TARGETS: String(MAX_OPEN_TARGETS) },
  });
  await rig.start();
  teamA = await rig.client({ caller: 'team-a' });
  teamB = await rig.client({ caller: 'team-b' });
  // Nothing here is about sending.
  await (await rig.operator()).post('/v1/lanes/main.retryTask/pause');
});

afterAll(() => rig.close());

/** Each test has the room for open targets to itself. */
afterEach(async () => {
  for (const team of [teamA, teamB]) {
    for (const { id } of (await team.get('/v1/requests?state=open&limit=200')).body.items) await team.cancel(id);
  }
});

const numberOfRequests = async () => (await rig.query('SELECT count(*)::int AS n FROM request'))[0].n;
const inMs = async (ms: number) =>
  new Date((await rig.query<{ now: Date }>('SELECT rescan_now() AS now'))[0]!.now.getTime() + ms).toISOString();

describe('an Idempotency-Key', () => {
  it('that comes again with the same body gets the same answer, marked, whatever has happened since', async () => {
    const body = retryOf(rig.task(2));
    const first = await teamA.trySubmit(body, 'again');
    await teamA.cancel(first.body.id);
    const second = await teamA.trySubmit(body, 'again');

    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect([second.status, second.body]).toEqual([202, first.body]);
  });

  it('means the wish, and not how it is written down', async () => {
    const task = rig.task(2);
    const [a, b] = task.clusterIds as [string, string];
    const first = await teamA.submit({ ...retryOf(task, [a, b]), labels: { x: '1', y: '2' } }, 'meaning');
    const second = await teamA.submit(
      { labels: { y: '2', x: '1' }, priority: 'normal', enterpriseProjectId: '0', ...retryOf(task, [b, a, b]) },
      'meaning',
    );
    expect(second).toEqual(first);
  });

  it('is refused with another body, and nothing is stored', async () => {
    const task = rig.task(2);
    await teamA.submit(retryOf(task), 'taken');
    const before = await numberOfRequests();
    const { status, body } = await teamA.trySubmit(retryAllOf(task), 'taken');
    expect([status, body.code]).toEqual([422, 'idempotency_key_reused']);
    expect(await numberOfRequests()).toBe(before);
  });

  it('belongs to its caller', async () => {
    const body = retryOf(rig.task(1));
    const [a, b] = await Promise.all([teamA.submit(body, 'mine'), teamB.submit(body, 'mine')]);
    expect(a.id).not.toBe(b.id);
  });

  it('makes one request of twenty at once', async () => {
    const before = await numberOfRequests();
    const body = retryOf(rig.task(3));
    const answers = await Promise.all(Array.from({ length: 20 }, () => teamA.trySubmit(body, 'twenty')));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(await numberOfRequests()).toBe(before + 1);
  });

  it('is not used up by a submission that was refused', async () => {
    const task = rig.task(1);
    expect((await teamA.trySubmit({ ...retryOf(task), deadline: '2020-01-01T00:00:00Z' }, 'refused')).status).toBe(400);
    expect((await teamA.trySubmit(retryOf(task), 'refused')).status).toBe(202);
  });
});

describe('a submission', () => {
  it('merges a cluster that is named twice', async () => {
    const task = rig.task(2);
    const { counts } = await teamA.submit(retryOf(task, [...task.clusterIds, ...task.clusterIds]));
    expect(counts.total).toBe(2);
  });

  it('for a project that no credential serves is refused', async () => {
    const { status, body } = await teamA.trySubmit(retryOf(rig.task(1, { projectId: 'project-9' })));
    expect([status, body.code]).toEqual([400, 'project_not_served']);
  });

  it('with a deadline that has passed is refused', async () => {
    const { status, body } = await teamA.trySubmit({ ...retryOf(rig.task(1)), deadline: await inMs(-1_000) });
    expect([status, body.code]).toEqual([400, 'deadline_in_past']);
  });

  it('beyond the open targets that a caller may have is refused for now, and others are not', async () => {
    const first = await teamA.submit(retryOf(rig.task(MAX_OPEN_TARGETS - 1)));
    await teamA.submit(retryAllOf(rig.task(1)));
    const tooMuch = retryOf(rig.task(1));

    const { status, body, headers } = await teamA.trySubmit(tooMuch);
    expect([status, body.code]).toEqual([429, 'too_many_open_targets']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await teamB.trySubmit(tooMuch)).status).toBe(202);

    await teamA.cancel(first.id);
    expect((await teamA.trySubmit(tooMuch)).status).toBe(202);
  });
});

describe('a request that waits too long', () => {
  it('expires at its deadline', async () => {
    const deadline = await inMs(HOUR);
    const { id } = await teamA.submit({ ...retryOf(rig.task(2)), deadline });
    expect((await teamA.request(id)).deadline).toBe(deadline);

    await rig.advance(HOUR + 1_000);
    const ended = await teamA.until(id, ({ state }) => state === 'finished');
    expect(ended.counts).toMatchObject({ total: 2, expired: 2 });
    expect((await teamA.targets(id))[0]).toMatchObject({
      state: 'done',
      result: 'expired',
      reason: { code: 'deadline' },
    });
  });

  it('expires after seven days where it has none', async () => {
    const { id } = await teamA.submit(retryOf(rig.task(1)));
    await rig.advance(7 * DAY + 1_000);
    await teamA.until(id, ({ state, counts }) => state === 'finished' && counts.expired === 1);
    expect((await teamA.targets(id))[0]?.reason?.code).toBe('max_age');
  });
});
