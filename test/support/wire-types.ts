/** The REST contract as its callers see it: written down a second time, so that a change of the service does not change it too. */

export interface Counts {
  readonly total: number;
  readonly waiting: number;
  readonly sending: number;
  readonly unknown: number;
  readonly accepted: number;
  readonly succeeded: number;
  readonly scanFailed: number;
  readonly notFailed: number;
  readonly notFound: number;
  readonly rejected: number;
  readonly exhausted: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly unverified: number;
}

export interface RequestView {
  readonly id: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly range: string;
  readonly priority: string;
  readonly state: string;
  readonly source: string;
  readonly caller: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly deadline: string | null;
  readonly maxRounds: number;
  readonly createdAt: string;
  readonly acceptedAt: string | null;
  readonly finishedAt: string | null;
  readonly estimate: { readonly calls: number; readonly position: number; readonly acceptedAt: string | null } | null;
  readonly replayOf: string | null;
  readonly resolved: boolean;
  readonly counts: Counts;
}

export interface ScheduleView {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly caller: string;
  readonly selection: object;
  readonly cron: { readonly expression: string; readonly timezone: string } | null;
  readonly every: string | null;
  readonly jitter: string | null;
  readonly priority: string;
  readonly maxRounds: number;
  readonly perCluster: object | null;
  readonly minFailed: number;
  readonly maxClusters: number;
  readonly catchUp: string;
  readonly enabled: boolean;
  readonly nextDueAt: string | null;
  readonly nextFireAt: string | null;
  readonly lastFireId: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string | null;
}

export interface FireView {
  readonly id: string;
  readonly scheduleId: string;
  readonly projectId: string;
  readonly dueAt: string;
  readonly kind: string;
  readonly state: string;
  readonly reason: string | null;
  readonly missedSince: string | null;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly tasksSeen: number;
  readonly tasksTaken: number;
  readonly clustersSeen: number;
  readonly clustersTaken: number;
  readonly leftOut: Readonly<Record<string, number>>;
}

export interface FireTaskView {
  readonly taskId: string;
  readonly state: string;
  readonly reason: string | null;
  readonly failed: number | null;
  readonly clustersSeen: number;
  readonly clustersTaken: number;
  readonly requestId: string | null;
}

export interface TargetView {
  readonly clusterId: string | null;
  readonly scanTypes: readonly string[] | null;
  readonly state: string;
  readonly result: string | null;
  readonly reason: { readonly code: string; readonly text: string | null } | null;
  readonly scans: readonly {
    readonly round: number;
    readonly callId: string;
    readonly scanType: string;
    readonly status: string | null;
    readonly reason: string | null;
  }[];
  readonly round: number;
  readonly attempts: number;
  readonly callIds: readonly string[];
  readonly dueAt: string | null;
  readonly waitingFor: string | null;
}

export interface CallView {
  readonly id: string;
  readonly lane: string;
  readonly credential: string;
  readonly projectId: string;
  readonly taskId: string;
  readonly rangeType: string;
  readonly clusterCount: number;
  readonly state: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly httpStatus: number | null;
  readonly errorCode: string | null;
  readonly errorText: string | null;
  readonly upstreamRequestId: string | null;
  readonly durationMs: number | null;
  readonly decision: any;
  readonly effect: string;
  readonly verdictDueAt: string | null;
  readonly policyVersion: string;
  readonly requestIds: readonly string[];
}

export interface CallTargetView {
  readonly clusterId: string | null;
  readonly scanTypes: readonly string[] | null;
  readonly requestId: string;
}

export interface LaneView {
  readonly id: string;
  readonly limit: number | null;
  readonly configuredLimit: number | null;
  readonly windowMs: number;
  readonly slotsInUse: number;
  readonly nextCallAt: string | null;
  readonly pausedUntil: string | null;
  readonly breaker: string;
  readonly blockedBy: string | null;
  readonly lastError: { readonly code: string; readonly text: string | null; readonly at: string } | null;
  readonly waitingTargets: number;
  readonly oldestWaitingAt: string | null;
  readonly unknownCalls: number;
}

export interface PageView<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export interface ProblemView {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}
