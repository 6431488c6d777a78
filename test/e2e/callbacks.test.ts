import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import type { ApiClient } from '../support/api-client.js';
import { eventually } from '../support/eventually.js';
import { certificate } from '../support/loopback-certificate.js';
import { Receiver, replies, type Received } from '../support/receiver.js';
import { QUEUE_BACKENDS, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';
import { createTestFolder } from '../support/test-folder.js';

const secretOf = (byte: string): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const [OLD, NEW] = [secretOf('o'), secretOf('n')];
const LANE = '/v1/lanes/main.retryTask';

const CALLBACKS = {
  CALLBACK_SECRETS: `${NEW} ${OLD}`,
  CALLBACK_ALLOW_PRIVATE: 'true',
  CALLBACK_BACKOFF_BASE: '100ms',
  CALLBACK_BACKOFF_CAP: '400ms',
};

interface CallbackView {
  readonly callback: { readonly state: string; readonly url: string; readonly tries: number } | null;
  readonly items: readonly { readonly number: number; readonly httpStatus: number; readonly errorCode: string }[];
}

const read = async (client: ApiClient, id: string): Promise<CallbackView> =>
  (await client.get<CallbackView>(`/v1/requests/${id}/callbacks`)).body;

const untilDelivered = (client: ApiClient, id: string): Promise<CallbackView> =>
  eventually(
    async () => {
      const view = await read(client, id);
      return view.callback?.state === 'delivered' ? view : null;
    },
    { limitMs: 20_000 },
  );

const verified = ({ headers, body }: Received, secret: string): any =>
  new Webhook(secret).verify(body, headers as Record<string, string>);

describe.each(QUEUE_BACKENDS)('the end of a request, with the queue on %s,', (queue) => {
  let rig: ServiceRig;
  let service: ServiceProcess;
  let teamA: ApiClient;
  let operator: ApiClient;
  let receiver: Receiver;
  let tls: Receiver;

  beforeAll(async () => {
    const ca = join(await createTestFolder('callbacks'), 'ca.pem');
    await writeFile(ca, certificate);
    rig = await ServiceRig.open({ queue, env: { ...CALLBACKS, NODE_EXTRA_CA_CERTS: ca } });
    service = await rig.start();
    [teamA, operator] = [await rig.client({ caller: 'team-a' }), await rig.operator()];
    [receiver, tls] = [await Receiver.open(), await Receiver.open({ tls: true })];
  });
  beforeEach(() => void receiver.received.splice(0));
  afterAll(async () => {
    await Promise.all([receiver.close(), tls.close()]);
    await rig.close();
  });

  /** A request that is cancelled before it could leave. */
  async function aCancelledRequest(callbackUrl: string, task: RigTask = rig.task(2)): Promise<string> {
    await operator.post(`${LANE}/pause`);
    const { id } = await teamA.submit({ ...retryOf(task), callbackUrl, labels: { ticket: 'INC-7' } });
    await teamA.cancel(id);
    await operator.post(`${LANE}/resume`);
    return id;
  }

  it('is told, signed by each of the secrets', async () => {
    const task = rig.task(2);
    const id = await aCancelledRequest(receiver.url('/told?token=t0ken'), task);
    expect(await untilDelivered(teamA, id)).toMatchObject({
      callback: { url: receiver.url('/told?token=t0ken'), tries: 1, messageId: `msg_${id}` },
      items: [{ number: 1, httpStatus: 204, errorCode: null }],
    });
    const [told] = receiver.received;
    expect(told?.headers['webhook-id']).toBe(`msg_${id}`);
    const { counts, finishedAt } = await teamA.request(id);
    for (const secret of [OLD, NEW]) {
      expect(told && verified(told, secret)).toMatchObject({
        type: 'request.cancelled',
        timestamp: finishedAt,
        data: {
          requestId: id,
          taskId: task.taskId,
          state: 'cancelled',
          counts,
          finishedAt,
          labels: { ticket: 'INC-7' },
        },
      });
    }
    expect(service.logText()).not.toContain('t0ken');
  });

  it('is told where its targets have got their results', async () => {
    const task = rig.task(3);
    rig.simulator.controls.addFaults({
      taskId: task.taskId,
      effect: { kind: 'error', status: 400, code: 'HSS.0011' },
    });
    const { id } = await teamA.submit({ ...retryOf(task), callbackUrl: receiver.url() });
    await untilDelivered(teamA, id);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      type: 'request.finished',
      data: { requestId: id, state: 'finished', counts: { total: 3, rejected: 3 } },
    });
  });

  it('is told over TLS to whoever has the name', async () => {
    const id = await aCancelledRequest(tls.url('/told', 'localhost'));
    await untilDelivered(teamA, id);
    expect(tls.received.map(({ headers }) => headers['webhook-id'])).toEqual([`msg_${id}`]);
  });

  it('is told until it is taken, and each try can be read', async () => {
    receiver.nextAre(replies.status(500), replies.status(307, { location: tls.url('/elsewhere') }), replies.reset());
    const id = await aCancelledRequest(receiver.url());
    const { items } = await untilDelivered(teamA, id);
    expect(items.map(({ number, httpStatus, errorCode }) => [number, httpStatus, errorCode])).toEqual([
      [4, 204, null],
      [3, null, 'connection_lost'],
      [2, 307, 'redirected'],
      [1, 500, 'bad_status'],
    ]);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([`msg_${id}`]));
  });

  it('of a replay is told where the replay says', async () => {
    const id = await aCancelledRequest(receiver.url('/first'));
    await untilDelivered(teamA, id);
    await operator.post(`${LANE}/pause`);
    const [silent, loud] = [await teamA.replay(id), await teamA.replay(id, { callbackUrl: receiver.url('/second') })];
    for (const { body } of [silent, loud]) await teamA.cancel(body.id);
    await operator.post(`${LANE}/resume`);
    await untilDelivered(teamA, loud.body.id);
    expect(await read(teamA, silent.body.id)).toEqual({ callback: null, items: [], nextCursor: null });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/first', '/second']);
  });

  it('is counted among the metrics', async () => {
    await untilDelivered(teamA, await aCancelledRequest(receiver.url()));
    const { body } = await operator.get<string>('/metrics');
    expect(body).toMatch(/rescan_callback_tries_total\{outcome="delivered",error_code=""\} \d+/);
    expect(body).toMatch(/rescan_callbacks_pending 0/);
  });
});

describe('with a sweep that comes too late', () => {
  let rig: ServiceRig;
  let client: ApiClient;
  let operator: ApiClient;
  let receiver: Receiver;

  beforeAll(async () => {
    rig = await ServiceRig.open({ env: CALLBACKS });
    receiver = await Receiver.open();
    const api = await rig.start({ ROLE: 'api' });
    await rig.spawn({ ROLE: 'worker', SWEEP_INTERVAL: '1m' });
    [client, operator] = [await rig.client({ of: api }), await rig.operator()];
  });
  afterAll(async () => {
    await receiver.close();
    await rig.close();
  });

  it('the end of a request is told at once, be it by a cancel or by an answer', async () => {
    const refused = rig.task(1);
    rig.simulator.controls.addFaults({
      taskId: refused.taskId,
      effect: { kind: 'error', status: 400, code: 'HSS.0011' },
    });
    await operator.post(`${LANE}/pause`);
    const [bySettling, byCancel] = await Promise.all(
      [refused, rig.task(1)].map((task) => client.submit({ ...retryOf(task), callbackUrl: receiver.url() })),
    );
    await client.cancel(byCancel?.id ?? '');
    await untilDelivered(client, byCancel?.id ?? '');
    await operator.post(`${LANE}/resume`);
    await untilDelivered(client, bySettling?.id ?? '');
    const results = receiver.received.map(({ body }) => JSON.parse(body).data.counts);
    expect(results).toHaveLength(2);
    for (const result of ['rejected', 'cancelled']) {
      expect(results).toContainEqual(expect.objectContaining({ total: 1, [result]: 1 }));
    }
  });
});

describe('a callbackUrl', () => {
  let rig: ServiceRig;
  let client: ApiClient;

  beforeAll(async () => {
    rig = await ServiceRig.open({ env: { CALLBACK_SECRETS: NEW } });
    await rig.start();
    client = await rig.client();
  });
  afterAll(() => rig.close());

  const isUrl = 'must be a URL of at most 2048 visible ASCII characters';
  const isPublic = 'must lead to an address of the internet';
  const isText = 'must be a text of 1 to 2048 characters';
  it.each([
    ['plain http', 'http://caller.example/', 'must be an https URL'],
    ['with a password', 'https://user:password@caller.example/', 'must not hold a user or a password'],
    ['with a fragment', 'https://caller.example/#x', 'must not hold a fragment'],
    ['private', 'https://127.0.0.1/', isPublic],
    ["a cloud's metadata", 'https://169.254.169.254/latest/meta-data', isPublic],
    ['private in disguise', 'https://[::ffff:10.0.0.1]/', isPublic],
    ['no URL', 'caller.example', isUrl],
    ['not in ASCII', 'https://caller.example/zurück', isUrl],
    ['too long', `https://caller.example/${'x'.repeat(3_000)}`, isText],
    ['empty', '', isText],
    ['no text', 17, isText],
    ['null', null, isText],
  ])('is refused where it is %s', async (_title, callbackUrl, message) => {
    const body = { ...retryOf(rig.task(1)), callbackUrl };
    const problem = { code: 'malformed', errors: [{ path: 'callbackUrl', message }] };
    expect(await client.trySubmit(body)).toMatchObject({ status: 400, body: problem });
    expect(await client.post('/v1/requests?dryRun=true', body)).toMatchObject({ status: 400, body: problem });
    expect(await rig.query('SELECT 1 FROM request')).toEqual([]);
  });

  it('is a part of what a key stands for', async () => {
    const body = retryOf(rig.task(1));
    const first = await client.trySubmit({ ...body, callbackUrl: 'https://caller.example/a' }, 'told');
    expect(first.status).toBe(202);
    expect(await client.trySubmit({ ...body, callbackUrl: 'https://caller.example/a' }, 'told')).toMatchObject({
      status: 202,
      body: { id: first.body.id },
    });
    for (const other of [{ ...body, callbackUrl: 'https://caller.example/b' }, body]) {
      expect(await client.trySubmit(other, 'told')).toMatchObject({
        status: 422,
        body: { code: 'idempotency_key_reused' },
      });
    }
  });

  it('is refused where nothing could be signed', async () => {
    const service = await rig.start({ CALLBACK_SECRETS: '' });
    const unsigned = await rig.client({ of: service });
    const body = retryOf(rig.task(1));
    expect(await unsigned.trySubmit({ ...body, callbackUrl: 'https://caller.example/' })).toMatchObject({
      status: 400,
      body: { code: 'callbacks_not_configured' },
    });
    expect((await unsigned.trySubmit(body)).status).toBe(202);
  });
});
