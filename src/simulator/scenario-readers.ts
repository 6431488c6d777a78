import { errorShapes, type ErrorSpec } from './answers.js';
import { readFaultRule } from './fault-rules.js';
import type { Limit, Limits, PolicyLimits } from './rate-limit.js';
import {
  fields,
  flag,
  fraction,
  InvalidInput,
  integer,
  listOf,
  oneOf,
  orNull,
  type Reader,
  readKnown,
  required,
  text,
} from './reading.js';
import { operations } from './routing.js';
import { scanFates, scanTypes, startTimeRenewals } from './scan-task.js';
import type {
  AccessKey,
  Behaviour,
  ClusterSpec,
  LedgerPolicy,
  ScanPolicy,
  ScenarioCredential,
  ScenarioInput,
  TaskSpec,
  TokenPolicy,
  Verdict,
} from './scenario.js';

const limit: Reader<Limit> = (value, what) => {
  const given = fields(value, what);
  return { calls: required(given, 'calls', integer()), windowMs: required(given, 'windowMs', integer({ min: 1 })) };
};

const policyReaders = { user: orNull(limit), ip: orNull(limit), api: orNull(limit) };

export const readLimits: Reader<Partial<Limits>> = (value, what) =>
  readKnown<Limits>(value, what, { ...policyReaders, retryAfter: flag, operations: readOperationLimits });

const readOperationLimits: Reader<Limits['operations']> = (value, what) =>
  Object.fromEntries(
    Object.entries(fields(value, what)).map(([name, limits]) => [
      oneOf(operations)(name, `${what}: ${name}`),
      readKnown<PolicyLimits>(limits, `${what}.${name}`, policyReaders),
    ]),
  );

export const readScans: Reader<Partial<ScanPolicy>> = (value, what) =>
  readKnown<ScanPolicy>(value, what, {
    minMs: integer(),
    maxMs: integer(),
    visibleAfterMs: integer(),
    successRate: fraction,
    stuckRate: fraction,
    reasons: listOf(text({ max: 1_000 }), { min: 1 }),
  });

const errorSpec: Reader<ErrorSpec> = (value, what) => {
  const given = readKnown<ErrorSpec>(value, what, {
    status: integer({ min: 200, max: 599 }),
    code: text({ min: 0, max: 64 }),
    message: text({ min: 0, max: 10_000 }),
    shape: oneOf(errorShapes),
  });
  if (given.status === undefined || given.code === undefined) throw new InvalidInput(`${what} needs status and code`);
  return { ...given, status: given.status, code: given.code };
};

const verdict: Reader<Verdict> = (value, what) => (value === 'accept' ? value : errorSpec(value, what));

export const readBehaviour: Reader<Partial<Behaviour>> = (value, what) =>
  readKnown<Behaviour>(value, what, {
    unknownTask: verdict,
    wrongEnterpriseProject: verdict,
    runningTask: verdict,
    cleanTask: verdict,
    unknownCluster: oneOf(['ignore', 'reject']),
    healthyCluster: oneOf(['ignore', 'rescan', 'reject']),
    scanningCluster: oneOf(['ignore', 'restart', 'reject']),
    clusterRejection: errorSpec,
    renewsStartTime: oneOf(startTimeRenewals),
  });

const someScanTypes = listOf(oneOf(scanTypes), { min: 1, max: 3 });

const readClusterSpec: Reader<ClusterSpec> = (value, what) => {
  const given = readKnown<ClusterSpec>(value, what, {
    clusterId: text({ max: 64 }),
    status: oneOf(['success', 'failed']),
    failedScanTypes: someScanTypes,
    reason: text({ max: 1_000 }),
    next: listOf(oneOf(scanFates)),
  });
  if (given.clusterId === undefined) throw new InvalidInput(`${what} needs a clusterId`);
  return { ...given, clusterId: given.clusterId };
};

export const readTaskSpec: Reader<TaskSpec> = (value, what) =>
  readKnown<TaskSpec>(value, what, {
    count: integer({ min: 1, max: 100_000 }),
    projectId: text(),
    enterpriseProjectId: text(),
    taskId: text({ max: 64 }),
    taskName: text(),
    triggerType: oneOf(['manual', 'schedule']),
    startedAgoMs: integer(),
    scanTypes: someScanTypes,
    failedClusters: integer({ max: 1_000_000 }),
    healthyClusters: integer({ max: 1_000_000 }),
    clusters: listOf(readClusterSpec),
    scans: readScans,
  });

const accessKey: Reader<AccessKey> = (value, what) => {
  const given = fields(value, what);
  const securityToken = given['securityToken'];
  return {
    ak: required(given, 'ak', text()),
    sk: required(given, 'sk', text()),
    ...(securityToken === undefined ? {} : { securityToken: text({ max: 32_768 })(securityToken, 'securityToken') }),
  };
};

const user: Reader<NonNullable<ScenarioCredential['user']>> = (value, what) => {
  const given = fields(value, what);
  return {
    name: required(given, 'name', text()),
    password: required(given, 'password', text()),
    domain: required(given, 'domain', text()),
  };
};

const readCredential: Reader<ScenarioCredential> = (value, what) => {
  const given = readKnown<ScenarioCredential>(value, what, {
    name: text(),
    projects: (projects, name) => (projects === '*' ? projects : listOf(text())(projects, name)),
    accessKey,
    user,
  });
  if (given.name === undefined) throw new InvalidInput(`${what} needs a name`);
  return { projects: '*', ...given, name: given.name };
};

const projectNames: Reader<Record<string, string>> = (value, what) =>
  Object.fromEntries(Object.entries(fields(value, what)).map(([name, id]) => [name, text()(id, `${what}.${name}`)]));

/** A scenario as it stands in a file: every mistake is refused, since a mistyped switch would silently do nothing. */
export const readScenario: Reader<ScenarioInput> = (value, what) =>
  readKnown<ScenarioInput>(value, what, {
    credentials: listOf(readCredential, { min: 1 }),
    projectNames,
    tokens: (v, w) => readKnown<TokenPolicy>(v, w, { ttlMs: integer(), length: integer({ min: 64, max: 65_000 }) }),
    limits: readLimits,
    scans: readScans,
    behaviour: readBehaviour,
    clockSkewMs: integer({ min: -1e12 }),
    ledger: (v, w) => readKnown<LedgerPolicy>(v, w, { maxEntries: integer({ min: 1 }), keepBodies: flag }),
    tasks: listOf(readTaskSpec),
    faults: listOf(readFaultRule),
  });
