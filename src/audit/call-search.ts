import { CALL_STATES } from '../domain/call.js';
import { CALL_EFFECTS } from '../domain/verdict.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Principal } from '../security/principal.js';
import { CallQueryDto } from './call-query.dto.js';
import {
  allOf,
  isSeen,
  isWithin,
  newest,
  newestOf,
  projectKeys,
  rowByRow,
  untold,
  type List,
  type PageBounds,
} from './newest.js';

const FROM = Prisma.sql`call AS c`;
const ID = Prisma.sql`c.id`;

/**
 * The ids of the newest calls that a query asks for. Its most telling filter says which index is read from its end; the other
 * filters are looked at row by row.
 * @param targets where those of a cluster are looked for: at work and not long ago, or ever
 */
export function newestCalls(
  query: CallQueryDto,
  principal: Principal,
  page: Pick<PageBounds, 'after' | 'rows'>,
  targets: 'target' | 'any_target' = 'any_target',
): Prisma.Sql {
  const { projectId, taskId, clusterId, upstreamRequestId, since, until } = query;
  const bounds = { ...page, since, until };
  const seen = isSeen(Prisma.sql`c.project_id`, principal, projectId);
  const asked = conditionsOf(query);
  const calls = (prefix: List['prefix'], ...besides: Prisma.Sql[]): List => ({
    from: FROM,
    prefix,
    id: ID,
    where: allOf([...besides, rowByRow([seen, ...Object.values(asked)])]),
  });

  if (upstreamRequestId !== undefined) {
    const prefix = [[Prisma.sql`c.upstream_request_id`, untold(Prisma.sql`${upstreamRequestId}`)]] as const;
    const besides = [ofTask(taskId), ofCluster(clusterId, targets)];
    return newest(calls(prefix, Prisma.sql`c.upstream_request_id IS NOT NULL`, ...besides), bounds);
  }
  if (clusterId !== undefined) return newest(calls([], ofCluster(clusterId, targets), ofTask(taskId)), bounds);
  if (taskId !== undefined) {
    const tasks = Prisma.sql`
      SELECT s.id FROM scan_task AS s
       WHERE s.task_id = ${taskId} AND ${isSeen(Prisma.sql`s.project_id`, principal, projectId)}`;
    return newestOf(tasks, calls([[Prisma.sql`c.scan_task_id`, Prisma.sql`key.id`]]), bounds);
  }
  const projects = projectKeys(principal, projectId);
  const tag = tagOf(query);
  if (tag !== null) return newestOf(projects, tagged(tag, Object.values(asked)), bounds);
  return ofProjects(query, principal, projects, asked, bounds);
}

/** An array, of which Postgres thinks that it is short: each call is then found by its id. */
const ofCluster = (clusterId: string | undefined, targets: 'target' | 'any_target'): Prisma.Sql =>
  clusterId === undefined
    ? Prisma.sql`true`
    : Prisma.sql`c.id = ANY(ARRAY(SELECT DISTINCT unnest(call_ids) FROM ${Prisma.raw(targets)} WHERE cluster_id = ${clusterId}))`;

const ofTask = (taskId: string | undefined): Prisma.Sql =>
  taskId === undefined
    ? Prisma.sql`true`
    : Prisma.sql`c.scan_task_id = ANY(ARRAY(SELECT id FROM scan_task WHERE task_id = ${taskId}))`;

function tagOf({ label, caller }: CallQueryDto): Prisma.Sql | null {
  if (label !== undefined) return Prisma.sql`call_tag_of(key.id, 'label', ${label})`;
  return caller === undefined ? null : Prisma.sql`call_tag_of(key.id, 'caller', ${caller})`;
}

/** `OFFSET 0` keeps Postgres from joining: row by row, in the order of the index, until the page is full. */
const tagged = (tag: Prisma.Sql, conditions: readonly (Prisma.Sql | null)[]): List => ({
  from: Prisma.sql`call_tag AS t`,
  prefix: [[Prisma.sql`t.tag`, tag]],
  id: Prisma.sql`t.call_id`,
  where: Prisma.sql`EXISTS (
    SELECT 1 FROM call AS c WHERE c.id = t.call_id AND c.project_id = key.id AND ${allOf(conditions)} OFFSET 0)`,
});

function ofProjects(
  query: CallQueryDto,
  principal: Principal,
  projects: Prisma.Sql,
  asked: Conditions,
  bounds: PageBounds,
): Prisma.Sql {
  const { state, effect, credential, errorCode, httpStatus, projectId } = query;
  const ofProject = [Prisma.sql`c.project_id`, Prisma.sql`key.id`] as const;
  const calls = (column: List['prefix'], by: Partial<Conditions>, partial = Prisma.sql`true`): List => ({
    from: FROM,
    prefix: [...column, ofProject],
    id: ID,
    where: allOf([partial, rowByRow(Object.values({ ...asked, ...by }))]),
  });

  if (errorCode !== undefined) {
    const list = calls(
      [[Prisma.sql`c.error_code`, untold(Prisma.sql`${errorCode}`)]],
      { errorCode: null },
      isThere('error_code'),
    );
    return newestOf(projects, list, bounds);
  }
  if (httpStatus !== undefined) {
    const column = [Prisma.sql`c.http_status`, untold(Prisma.sql`${httpStatus}::smallint`)] as const;
    return newestOf(projects, calls([column], { httpStatus: null }, isThere('http_status')), bounds);
  }
  if (state !== undefined || effect !== undefined) {
    const columns = [
      [Prisma.sql`c.state`, Prisma.sql`key.state`],
      [Prisma.sql`c.effect`, Prisma.sql`key.effect`],
    ] as const;
    return newestOf(withStates(projects, query), calls(columns, { state: null, effect: null }), bounds);
  }
  if (credential !== undefined) {
    const column = [Prisma.sql`c.credential`, untold(Prisma.sql`${credential}`)] as const;
    return newestOf(projects, calls([column], { credential: null }), bounds);
  }
  if (principal.projects !== '*' || projectId !== undefined) return newestOf(projects, calls([], {}), bounds);
  // All calls of all projects are in order by themselves.
  return newest({ ...calls([], {}), prefix: [] }, bounds);
}

/** State and effect share an index: one list for each state and effect that may be meant. */
const withStates = (projects: Prisma.Sql, { state, effect }: CallQueryDto): Prisma.Sql => Prisma.sql`
  SELECT p.id, s.state, e.effect FROM (${projects}) AS p
   CROSS JOIN unnest(${state === undefined ? [...CALL_STATES] : [state]}::call_state[]) AS s (state)
   CROSS JOIN unnest(${effect === undefined ? [...CALL_EFFECTS] : [effect]}::call_effect[]) AS e (effect)`;

const isThere = (column: 'error_code' | 'http_status'): Prisma.Sql => Prisma.sql`c.${Prisma.raw(column)} IS NOT NULL`;

type Filter = 'state' | 'effect' | 'credential' | 'errorCode' | 'httpStatus' | 'caller' | 'label' | 'time';
type Conditions = Readonly<Record<Filter, Prisma.Sql | null>>;

/** As they are looked at row by row. */
function conditionsOf({
  state,
  effect,
  credential,
  errorCode,
  httpStatus,
  caller,
  label,
  ...rest
}: CallQueryDto): Conditions {
  return {
    state: state === undefined ? null : Prisma.sql`c.state = ${state}::call_state`,
    effect: effect === undefined ? null : Prisma.sql`c.effect = ${effect}::call_effect`,
    credential: credential === undefined ? null : Prisma.sql`c.credential = ${credential}`,
    errorCode: errorCode === undefined ? null : Prisma.sql`c.error_code = ${errorCode}`,
    httpStatus: httpStatus === undefined ? null : Prisma.sql`c.http_status = ${httpStatus}::smallint`,
    caller: caller === undefined ? null : hasRequest(Prisma.sql`r.caller = ${caller}`),
    label: label === undefined ? null : hasRequest(hasLabel(label)),
    time: isWithin(Prisma.sql`c.started_at`, rest),
  };
}

/** The caller and the labels of a call are those of its requests, each of which is looked up by its id. */
const hasRequest = (condition: Prisma.Sql): Prisma.Sql => Prisma.sql`EXISTS (
  SELECT 1 FROM call_request AS cr
   WHERE cr.call_id = c.id AND (SELECT ${condition} FROM any_request AS r WHERE r.id = cr.request_id) OFFSET 0)`;

const hasLabel = (label: string): Prisma.Sql =>
  Prisma.sql`EXISTS (SELECT 1 FROM jsonb_each_text(r.labels) AS l WHERE l.key || ':' || l.value = ${label})`;
