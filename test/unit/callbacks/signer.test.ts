import { expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { noticeOf } from '../../../src/callbacks/notice.js';
import { NoticeSigner } from '../../../src/callbacks/signer.js';
import { Secret } from '../../../src/config/secret.js';

const whsec = (byte: string): string => `whsec_${Buffer.alloc(24, byte).toString('base64')}`;

it("signs the standard's own example as the standard does", () => {
  const signer = new NoticeSigner([new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')]);
  const body = '{"test": 2432232314}';
  const at = new Date(1_614_265_330_000);
  expect(signer.headers({ messageId: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body }, at)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

it('is checked by whoever knows any of the secrets, and by nobody else', () => {
  const notice = { messageId: 'msg_1', body: '{"type":"request.finished"}' };
  const headers = new NoticeSigner([new Secret(whsec('a')), new Secret(whsec('b'))]).headers(notice, new Date());
  for (const known of ['a', 'b']) {
    expect(new Webhook(whsec(known)).verify(notice.body, headers)).toEqual({ type: 'request.finished' });
  }
  expect(() => new Webhook(whsec('c')).verify(notice.body, headers)).toThrow('No matching signature');
  expect(() => new Webhook(whsec('a')).verify(`${notice.body} `, headers)).toThrow('No matching signature');
});

it('says what has ended, how, and when', () => {
  const request = {
    id: '01990000-0000-7000-8000-000000000000',
    projectId: 'project-1',
    enterpriseProjectId: '0',
    taskId: 'task-1',
    state: 'cancelled' as const,
    labels: { ticket: 'INC-1' },
    createdAt: new Date(1_000),
    finishedAt: new Date(2_000),
    counts: { total: 2, cancelled: 2 },
  };
  const { messageId, body } = noticeOf(request);
  expect(messageId).toBe('msg_01990000-0000-7000-8000-000000000000');
  expect(JSON.parse(body)).toEqual({
    type: 'request.cancelled',
    timestamp: '1970-01-01T00:00:02.000Z',
    data: {
      requestId: request.id,
      projectId: 'project-1',
      enterpriseProjectId: '0',
      taskId: 'task-1',
      state: 'cancelled',
      labels: { ticket: 'INC-1' },
      createdAt: '1970-01-01T00:00:01.000Z',
      finishedAt: '1970-01-01T00:00:02.000Z',
      counts: { total: 2, cancelled: 2 },
    },
  });
});
