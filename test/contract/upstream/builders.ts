import type { CredentialAuth, CredentialConfig } from '../../../src/config/app-config.js';
import { Secret } from '../../../src/config/secret.js';
import type { CallAnswer, ListOutcome, ResourceQuery, RetryCall, TaskQuery } from '../../../src/upstream/scan-tasks.js';
import type { CallOutcome } from '../../../src/domain/call-outcome.js';
import { retryTaskBody } from '../../../src/upstream/wire.js';

const unlimited = { calls: null, windowMs: 60_000 };
export const keys: CredentialAuth = {
  kind: 'aksk',
  accessKey: new Secret('AK1'),
  secretKey: new Secret('SK1'),
  securityToken: null,
};
export const password: CredentialAuth = {
  kind: 'password',
  userName: 'svc',
  domainName: 'acme',
  password: new Secret('PW1'),
};

export function aCredential(overrides: Partial<CredentialConfig> = {}): CredentialConfig {
  return {
    name: 'main',
    hssUrl: 'http://127.0.0.1:1',
    iamUrl: 'http://127.0.0.1:1',
    auth: keys,
    projects: '*',
    egress: 'default',
    limits: { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited },
    timeoutMs: 10_000,
    ...overrides,
  };
}

const sending = {
  credential: 'main',
  projectId: 'p1',
  enterpriseProjectId: '0',
  at: new Date('2026-01-01T00:00:00Z'),
  mayStart: () => true,
};

export function aCall(overrides: Partial<RetryCall> = {}): RetryCall {
  const range = { rangeType: 'all_failed_cluster' } as const;
  return { ...sending, taskId: 't1', range, body: retryTaskBody(range), ...overrides };
}

export function aResourceQuery(overrides: Partial<ResourceQuery> = {}): ResourceQuery {
  return { ...sending, taskId: 't1', offset: 0, limit: 200, ...overrides };
}

export function aTaskQuery(overrides: Partial<TaskQuery> = {}): TaskQuery {
  return { ...sending, offset: 0, limit: 200, ...overrides };
}

/** The outcome in two words, and whether it was sent. */
export function inShort({ outcome, sent }: CallAnswer<CallOutcome | ListOutcome<unknown>>): string {
  const detail =
    'cause' in outcome ? outcome.cause : 'by' in outcome ? outcome.by : 'blames' in outcome ? outcome.blames : '';
  return `${outcome.kind} ${detail}`.trim() + (sent ? ', sent' : '');
}
