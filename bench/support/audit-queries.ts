import type pg from 'pg';
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
const DAY_MS = 86_400_000;

/** They ask for what is there: ids are drawn from all of the record. */
export async function queriesOf(client: pg.Client): Promise<readonly Query[]> {
  const { rows } = await client.query<{ call: string; upstream: string; request: string }>(
    `SELECT c.id::text AS call, upstream_request_id AS upstream, request_id::text AS request
       FROM (SELECT id, upstream_request_id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS total FROM call) AS c
       JOIN call_request AS cr ON cr.call_id = c.id WHERE place % greatest(1, total / ${KNOWN}) = 0`,
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
  const dayAgo = (): string => new Date(Date.now() - DAY_MS).toISOString();
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
    keyset('call by upstream request id', () => `/v1/calls?upstreamRequestId=${known().upstream}`),
    keyset('events of a project', () => `/v1/audit/events?limit=50&projectId=${project()}`),
    keyset('events of a kind', () => `/v1/audit/events?limit=25&kind=call.throttled&projectId=${project()}`),
    keyset('events of a call', () => `/v1/audit/events?limit=50&callId=${known().call}`),
    keyset('trace of a request', () => `/v1/audit/requests/${known().request}/trace?limit=50`),
    keyset('history of a cluster', () => `/v1/audit/clusters/${cluster()}?limit=5&projectId=project-3`),
    { name: 'summary of a day', atMost: SUMMARY, path: () => `/v1/audit/summary?groupBy=state&since=${dayAgo()}` },
    {
      name: 'summary of a day by task',
      atMost: SUMMARY,
      path: () => `/v1/audit/summary?groupBy=task&since=${dayAgo()}&projectId=${project()}`,
    },
  ];
}

async function clustersOf(client: pg.Client, project: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT md5($1 || ' cluster-' || n)::uuid::text AS id FROM generate_series(0, $2::int - 1, 25) AS n`,
    [project, CLUSTERS_A_PROJECT],
  );
  return rows.map(({ id }) => id);
}
