import { CALL_STATES } from '../domain/call.js';
import { CALL_EFFECTS } from '../domain/verdict.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Principal } from '../security/principal.js';
import type { CallQueryDto } from './call-query.dto.js';
import { allOf, isSeen, isWithin, newest, newestOf, projectKeys, type PageBounds } from './newest.js';

const ID = Prisma.sql`c.id`;

/**
 * The ids of the newest calls that a query asks for. Its most telling filter says which index is read from its end; the other
 * filters are looked at row by row.
 */
export function newestCalls(
  query: CallQueryDto,
  principal: Principal,
  page: Pick<PageBounds, 'after' | 'rows'>,
): Prisma.Sql {
  const bounds = { ...page, since: query.since, until: query.until };
  const { projectId, taskId, clusterId, upstreamRequestId, caller, label } = query;
  const seen = isSeen(Prisma.sql`c.project_id`, principal, projectId);
  const asked = conditionsOf(query);
  const calls = (...conditions: readonly (Prisma.Sql | null)[]): Prisma.Sql =>
    Prisma.sql`FROM call AS c WHERE ${allOf([...conditions, ...asked])}`;

  if (upstreamRequestId !== undefined) {
    return newest(calls(Prisma.sql`c.upstream_request_id = ${upstreamRequestId}`, seen), ID, bounds);
  }
  if (clusterId !== undefined) return newest(calls(ofCluster(clusterId), seen), ID, bounds);
  if (taskId !== undefined) {
    const tasks = Prisma.sql`
      SELECT s.id FROM scan_task AS s
       WHERE s.task_id = ${taskId} AND ${allOf([isSeen(Prisma.sql`s.project_id`, principal, projectId)])}`;
    return newestOf(tasks, calls(Prisma.sql`c.scan_task_id = key.id`), ID, bounds);
  }
  const projects = projectKeys(principal, projectId);
  const tag = label === undefined ? tagOf('caller', caller) : tagOf('label', label);
  if (tag !== null) return newestOf(projects, tagged(tag, asked), Prisma.sql`t.call_id`, bounds);
  return ofProjects(query, principal, projects, calls, bounds);
}

/** Its caller and labels are those of its requests. */
const isOfRequest = (callId: Prisma.Sql, condition: Prisma.Sql): Prisma.Sql => Prisma.sql`EXISTS (
  SELECT 1 FROM call_request AS cr JOIN request AS r ON r.id = cr.request_id
   WHERE cr.call_id = ${callId} AND ${condition} OFFSET 0)`;

const hasLabel = (label: string): Prisma.Sql =>
  Prisma.sql`EXISTS (SELECT 1 FROM jsonb_each_text(r.labels) AS l WHERE l.key || ':' || l.value = ${label})`;

/** An array, of which Postgres thinks that it is short: each call is then found by its id. */
const ofCluster = (clusterId: string): Prisma.Sql =>
  Prisma.sql`c.id = ANY(ARRAY(SELECT DISTINCT unnest(call_ids) FROM target WHERE cluster_id = ${clusterId}))`;

const tagOf = (kind: 'caller' | 'label', said: string | undefined): Prisma.Sql | null =>
  said === undefined ? null : Prisma.sql`call_tag_of(key.id, ${kind}, ${said})`;

/** `OFFSET 0` keeps Postgres from joining: row by row, in the order of the index, until the page is full. */
const tagged = (tag: Prisma.Sql, conditions: readonly Prisma.Sql[]): Prisma.Sql => Prisma.sql`
  FROM call_tag AS t
 WHERE t.tag = ${tag}
   AND EXISTS (SELECT 1 FROM call AS c WHERE c.id = t.call_id AND c.project_id = key.id AND ${allOf(conditions)} OFFSET 0)`;

/** State and effect share an index: one list for each state and effect that may be meant. */
function ofProjects(
  { projectId, state, effect, credential, errorCode, httpStatus }: CallQueryDto,
  principal: Principal,
  projects: Prisma.Sql,
  calls: (...conditions: Prisma.Sql[]) => Prisma.Sql,
  bounds: PageBounds,
): Prisma.Sql {
  const ofProject = Prisma.sql`c.project_id = key.id`;
  if (state !== undefined || effect !== undefined) {
    const keys = Prisma.sql`
      SELECT p.id, s.state, e.effect FROM (${projects}) AS p
       CROSS JOIN unnest(${state === undefined ? [...CALL_STATES] : [state]}::call_state[]) AS s (state)
       CROSS JOIN unnest(${effect === undefined ? [...CALL_EFFECTS] : [effect]}::call_effect[]) AS e (effect)`;
    const ofState = Prisma.sql`c.state = key.state AND c.effect = key.effect`;
    return newestOf(keys, calls(ofProject, ofState), ID, bounds);
  }
  // All calls of all projects are in order by themselves.
  const isOfAll =
    principal.projects === '*' && [projectId, credential, errorCode, httpStatus].every((one) => one === undefined);
  return isOfAll ? newest(calls(Prisma.sql`true`), ID, bounds) : newestOf(projects, calls(ofProject), ID, bounds);
}

/** Of everything that is looked at row by row. */
function conditionsOf({ credential, errorCode, httpStatus, caller, label, ...rest }: CallQueryDto): Prisma.Sql[] {
  return [
    rest.state === undefined ? null : Prisma.sql`c.state = ${rest.state}::call_state`,
    rest.effect === undefined ? null : Prisma.sql`c.effect = ${rest.effect}::call_effect`,
    credential === undefined ? null : Prisma.sql`c.credential = ${credential}`,
    errorCode === undefined ? null : Prisma.sql`c.error_code = ${errorCode}`,
    httpStatus === undefined ? null : Prisma.sql`c.http_status = ${httpStatus}::smallint`,
    caller === undefined ? null : isOfRequest(ID, Prisma.sql`r.caller = ${caller}`),
    label === undefined ? null : isOfRequest(ID, hasLabel(label)),
    isWithin(Prisma.sql`c.started_at`, rest),
  ].filter((one) => one !== null);
}
