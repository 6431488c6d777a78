import type { ErrorSpec } from './answers.js';
import type { FaultRule } from './fault-rules.js';
import type { Limits } from './rate-limit.js';
import type { ScanFate, ScanStatus, ScanType, StartTimeRenewal } from './scan-task.js';

export interface AccessKey {
  readonly ak: string;
  readonly sk: string;
  /** Set for temporary keys: it must then be sent, signed, as X-Security-Token. */
  readonly securityToken?: string;
}

/** Who may call. The limit "by user" counts per credential. */
export interface ScenarioCredential {
  readonly name: string;
  readonly projects: readonly string[] | '*';
  readonly accessKey?: AccessKey;
  readonly user?: { readonly name: string; readonly password: string; readonly domain: string };
}

export interface TokenPolicy {
  readonly ttlMs: number;
  /** Characters of a token; real ones reach 32,768. */
  readonly length: number;
}

export interface ScanPolicy {
  /** A rescan takes from `minMs` to `maxMs`. */
  readonly minMs: number;
  readonly maxMs: number;
  /** For so long after an accepted RetryTask the old failure can still be read. */
  readonly visibleAfterMs: number;
  /** Of a rescanned item. */
  readonly successRate: number;
  /** Of a rescanned cluster: it stays `scanning` for ever. */
  readonly stuckRate: number;
  readonly reasons: readonly string[];
}

/** `accept`: answers 200 and takes nothing on this account. */
export type Verdict = 'accept' | ErrorSpec;

/** What no public source says about RetryTask; each is a switch. */
export interface Behaviour {
  readonly unknownTask: Verdict;
  readonly wrongEnterpriseProject: Verdict;
  /** Some cluster of the task is scanning. */
  readonly runningTask: Verdict;
  /** `all_failed_cluster` of a task without failures. */
  readonly cleanTask: Verdict;
  readonly unknownCluster: 'ignore' | 'reject';
  readonly healthyCluster: 'ignore' | 'rescan' | 'reject';
  /** Decides about idempotency: the second of two equal calls finds its clusters scanning. */
  readonly scanningCluster: 'ignore' | 'restart' | 'reject';
  readonly clusterRejection: ErrorSpec;
  /** Whose `start_time` a rescan renews; `no_times`: nor its `end_time`. */
  readonly renewsStartTime: StartTimeRenewal;
}

export interface ClusterSpec {
  readonly clusterId: string;
  readonly status?: Exclude<ScanStatus, 'scanning'>;
  /** The items that failed, of the task's scan types; by default all. */
  readonly failedScanTypes?: readonly ScanType[];
  readonly reason?: string;
  /** How its next rescans end, one after the other; after that the scan policy decides. */
  readonly next?: readonly ScanFate[];
}

/** One scan task, or `count` of them with generated ids. Clusters are listed, or generated, or both. */
export interface TaskSpec {
  readonly count?: number;
  readonly projectId?: string;
  readonly enterpriseProjectId?: string;
  readonly taskId?: string;
  readonly taskName?: string;
  readonly triggerType?: 'manual' | 'schedule';
  readonly startedAgoMs?: number;
  readonly scanTypes?: readonly ScanType[];
  readonly failedClusters?: number;
  readonly healthyClusters?: number;
  readonly clusters?: readonly ClusterSpec[];
  readonly scans?: Partial<ScanPolicy>;
}

export interface LedgerPolicy {
  /** The oldest entries go first. */
  readonly maxEntries: number;
  readonly keepBodies: boolean;
}

export interface Scenario {
  readonly credentials: readonly ScenarioCredential[];
  /** Project names that a token's scope may use instead of an id. */
  readonly projectNames: Readonly<Record<string, string>>;
  readonly tokens: TokenPolicy;
  readonly limits: Limits;
  readonly scans: ScanPolicy;
  readonly behaviour: Behaviour;
  /** The simulator's clock minus the host's: it shows in Date headers, in all times and in the check of X-Sdk-Date. */
  readonly clockSkewMs: number;
  readonly ledger: LedgerPolicy;
  readonly tasks: readonly TaskSpec[];
  readonly faults: readonly FaultRule[];
}

type Section = 'tokens' | 'limits' | 'scans' | 'behaviour' | 'ledger';

/** A scenario as it is written: what is left out comes from the default scenario, field by field. */
export type ScenarioInput = Partial<Omit<Scenario, Section>> & { readonly [K in Section]?: Partial<Scenario[K]> };
