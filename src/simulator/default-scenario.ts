import type { Behaviour, Scenario, ScenarioInput, ScanPolicy } from './scenario.js';

/** The project id of the vendor's own examples. */
export const demoProject = '6204a5bd270343b5885144cf9c8c158d';

const perMinute = (calls: number) => ({ calls, windowMs: 60_000 });

const scans: ScanPolicy = {
  minMs: 1_500,
  maxMs: 4_000,
  visibleAfterMs: 0,
  successRate: 0.9,
  stuckRate: 0,
  reasons: ['agent offline', 'cluster unreachable', 'failed to create the scan job', 'image pull failed'],
};

const behaviour: Behaviour = {
  unknownTask: { status: 400, code: 'HSS.0011' },
  wrongEnterpriseProject: { status: 400, code: 'HSS.0013' },
  runningTask: 'accept',
  cleanTask: 'accept',
  unknownCluster: 'reject',
  healthyCluster: 'ignore',
  scanningCluster: 'ignore',
  clusterRejection: { status: 400, code: 'HSS.0001' },
  renewsStartTime: 'task_and_clusters',
};

/** Three scan tasks to try things with, a key and a user. The secrets are no secrets: they open nothing but this. */
export const defaultScenario: Scenario = {
  credentials: [
    {
      name: 'demo-key',
      projects: '*',
      accessKey: { ak: 'SIMULATORACCESSKEY01', sk: 'simulator-secret-key-of-the-demo' },
    },
    { name: 'demo-user', projects: '*', user: { name: 'svc', password: 'simulator-password', domain: 'acme' } },
  ],
  projectNames: { 'ap-southeast-1': demoProject },
  tokens: { ttlMs: 24 * 60 * 60 * 1_000, length: 2_048 },
  limits: {
    user: perMinute(5),
    ip: null,
    api: perMinute(600),
    operations: { CreateToken: { user: null, ip: null, api: null } },
    retryAfter: false,
  },
  scans,
  behaviour,
  clockSkewMs: 0,
  ledger: { maxEntries: 10_000, keepBodies: true },
  tasks: [
    { taskId: '5ca17a5c-0000-4000-8000-000000000003', taskName: 'demo-small', failedClusters: 3, healthyClusters: 9 },
    {
      taskId: '5ca17a5c-0000-4000-8000-000000000012',
      taskName: 'demo-medium',
      failedClusters: 12,
      healthyClusters: 48,
    },
    {
      taskId: '5ca17a5c-0000-4000-8000-000000000450',
      taskName: 'demo-large',
      triggerType: 'schedule',
      failedClusters: 450,
      healthyClusters: 1_550,
    },
  ],
  faults: [],
};

export function completeScenario(input: ScenarioInput): Scenario {
  const base = defaultScenario;
  return {
    ...base,
    ...input,
    projectNames: { ...base.projectNames, ...input.projectNames },
    tokens: { ...base.tokens, ...input.tokens },
    limits: {
      ...base.limits,
      ...input.limits,
      operations: { ...base.limits.operations, ...input.limits?.operations },
    },
    scans: { ...base.scans, ...input.scans },
    behaviour: { ...base.behaviour, ...input.behaviour },
    ledger: { ...base.ledger, ...input.ledger },
  };
}
