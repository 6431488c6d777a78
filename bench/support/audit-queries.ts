import type pg from 'pg';
import { SUMMARY_GROUPS } from '../../src/audit/summary-group.js';
import { CALLERS, CLUSTERS_A_PROJECT, PROJECTS } from './record.js';

/** A question of an auditor, each time about something else. */
export interface Query {
  readonly name: string;
  /** What it may take, against the smallest record. */
  readonly atMost: number;
  readonly path: () => string;
}

const KEYSET = 1.5;
const SUMMARY = 3;
const KNOWN = 200;
const HOUR_MS = 3_600_000;

/** They ask for what is there: ids are drawn from all of the record. */
export async function queriesOf(client: pg.Client): Promise<readonly Query[]> {
  const { rows } = await client.query<{ call: string; upstream: string; request: string; task: string }>(
    `SELECT c.id::text AS call, upstream_request_id AS upstream, request_id::text AS request, s.task_id AS task
       FROM (SELECT id, upstream_request_id, scan_task_id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS total FROM call) AS c
       JOIN call_request AS cr ON cr.call_id = c.id JOIN scan_task AS s ON s.id = c.scan_task_id WHERE place % greatest(1, total / ${KNOWN}) = 0`,
  );
  let turn = 0;
  const known = (): (typeof rows)[number] => {
    const row = rows[(turn += 7) % rows.length];
    if (!row) throw new Error('the record is empty');
    return row;
  };
  const project = (): string => `project-${(turn += 1) % PROJECTS}`;
  const caller = (): string => `team-${(turn += 1) % CALLERS}`;
  const clusters = await clustersOf(client, 'project-3');
  const cluster = (): string => clusters[(turn += 1) % clusters.length] ?? '';
  const keyset = (name: string, path: () => string): Query => ({ name, path, atMost: KEYSET });
  const hoursAgo = (hours: number): string => new Date(Date.now() - hours * HOUR_MS).toISOString();
  // Of what each asks for, a day has a full page: pages of all sizes are alike.
  return [
    keyset('calls', () => '/v1/calls?limit=50'),
    keyset('calls of a project', () => `/v1/calls?limit=50&projectId=${project()}`),
    keyset('calls by caller', () => `/v1/calls?limit=50&caller=${caller()}`),
    keyset('calls by label', () => `/v1/calls?limit=50&label=owner:squad-${(turn += 1) % 50}`),
    keyset('calls by credential', () => `/v1/calls?limit=50&credential=credential-${(turn += 1) % 5}`),
    keyset('calls by HTTP status', () => '/v1/calls?limit=50&httpStatus=400'),
    keyset('calls by error code', () => `/v1/calls?limit=25&errorCode=APIGW.0308&projectId=${project()}`),
    keyset('calls by state', () => '/v1/calls?limit=50&state=rejected'),
    keyset('calls by effect', () => '/v1/calls?limit=50&effect=renewed'),
    keyset('calls of two hours', () => `/v1/calls?limit=50&since=${hoursAgo(5)}&until=${hoursAgo(3)}`),
    keyset('calls of a scan task', () => `/v1/calls?limit=5&taskId=${known().task}`),
    keyset('calls of a cluster', () => `/v1/calls?limit=2&projectId=project-3&clusterId=${cluster()}`),
    keyset('calls of a request', () => `/v1/requests/${known().request}/calls?limit=5`),
    keyset('targets of a call', () => `/v1/calls/${known().call}/targets?limit=20`),
    keyset('call by upstream request id', () => `/v1/calls?upstreamRequestId=${known().upstream}`),
    keyset('events', () => '/v1/audit/events?limit=50'),
    keyset('events of an actor', () => '/v1/audit/events?limit=50&actor=rescan'),
    keyset('events of a lane', () => `/v1/audit/events?limit=50&laneId=credential-${(turn += 1) % 5}.retryTask`),
    keyset('events of a request', () => `/v1/audit/events?limit=5&requestId=${known().request}`),
    keyset('events of a schedule', () => `/v1/audit/events?scheduleId=${known().call}`),
    keyset('events of a project', () => `/v1/audit/events?limit=50&projectId=${project()}`),
    keyset('events of a kind', () => `/v1/audit/events?limit=25&kind=call.throttled&projectId=${project()}`),
    keyset('events of a call', () => `/v1/audit/events?limit=50&callId=${known().call}`),
    keyset('trace of a request', () => `/v1/audit/requests/${known().request}/trace?limit=50`),
    keyset('history of a cluster', () => `/v1/audit/clusters/${cluster()}?limit=5&projectId=project-3`),
    ...SUMMARY_GROUPS.map((groupBy) => ({
      name: `summary of a day by ${groupBy}`,
      atMost: SUMMARY,
      // There are as many tasks as requests.
      path: () =>
        `/v1/audit/summary?groupBy=${groupBy}&since=${hoursAgo(24)}${groupBy === 'task' ? `&projectId=${project()}` : ''}`,
    })),
  ];
}

async function clustersOf(client: pg.Client, project: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT md5($1 || ' cluster-' || n)::uuid::text AS id FROM generate_series(0, $2::int - 1, 25) AS n`,
    [project, CLUSTERS_A_PROJECT],
  );
  return rows.map(({ id }) => id);
}
