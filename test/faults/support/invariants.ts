import { BREACHES } from '../../support/breaches.js';
import type { FaultPostgres } from './postgres.js';

const IN_RUN = `call.started_at >= (SELECT since FROM evidence.run)`;

/** What the upstream said of a call may be read late, so a call that ended by a late answer was not looked up. */
const LOOKED_UP = (callId: string, at: string): string => `
  EXISTS (SELECT 1 FROM list_call AS page, evidence.run
           WHERE page.call_id = ${callId} AND page.rows_read IS NOT NULL AND page.finished_at <= ${at}
             AND page.started_at >= (SELECT lease_until FROM call AS c WHERE c.id = ${callId}) + run.grace_ms * interval '1 ms' - interval '5 ms')`;

/** How a call went, for whoever reads a breach. */
const HISTORY = (callId: string): string => `
  (SELECT string_agg(format('%s%s %s', h.state, CASE WHEN h.watched THEN '' ELSE ' (over)' END, to_char(h.at, 'MI:SS.MS')), ', ' ORDER BY h.id)
     FROM evidence.call_log AS h WHERE h.call_id = ${callId})`;

const ANSWERED = (callId: string): string =>
  `EXISTS (SELECT 1 FROM evidence.sent_now AS s WHERE s.call_id = ${callId} AND s.reply = 'answered' AND s.status = 200)`;

const MAY_FOLLOW: Readonly<Record<string, readonly string[]>> = {
  sending: ['accepted', 'throttled', 'unavailable', 'blocked', 'rejected', 'not_sent', 'unknown'],
  // A late answer may say any of these.
  unknown: [
    'accepted',
    'partly_accepted',
    'not_carried_out',
    'throttled',
    'unavailable',
    'blocked',
    'rejected',
    'not_sent',
  ],
  not_carried_out: ['partly_accepted'],
};
const MOVES = Object.entries(MAY_FOLLOW).flatMap(([from, all]) => all.map((to) => `('${from}', '${to}')`));

/** The promises over the whole of a run, once it has drained: each finds what breaks it. */
export const PROMISES: Readonly<Record<string, string>> = {
  'accepted is stored': `
    SELECT c.* FROM evidence.client AS c LEFT JOIN request AS r ON r.id = c.request_id
     WHERE c.status = 202 AND (r.id IS NULL OR (NOT c.whole_task AND r.total <> c.targets))`,
  'every target has a result': `
    SELECT t.id, t.state, t.due_at, t.call_id, r.id AS request FROM target AS t JOIN request AS r ON r.id = t.request_id
     WHERE t.state <> 'done' OR t.result IS NULL OR r.state = 'open'`,
  'every RetryTask call has a row that was committed before it': `
    SELECT seq, at, call_id, committed_at FROM evidence.sent_now
     WHERE call_id IS NULL OR committed_at IS NULL OR committed_at >= at + interval '1 ms'`,
  'a call reaches the upstream at most once': `
    SELECT call_id, array_agg(seq) AS lines FROM evidence.sent_now WHERE call_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1`,
  'no call claims more than the upstream has seen': `
    SELECT call.id, call.state, call.http_status, s.seq, s.reply, s.status, ${HISTORY('call.id')} AS history FROM call
      LEFT JOIN evidence.sent_now AS s ON s.call_id = call.id
     WHERE ${IN_RUN} AND CASE
       WHEN call.state = 'not_sent' THEN s.seq IS NOT NULL
       WHEN call.state IN ('accepted', 'partly_accepted') AND call.http_status = 200 THEN s.status IS DISTINCT FROM 200
       WHEN call.state IN ('accepted', 'partly_accepted') THEN s.seq IS NULL
       WHEN call.http_status IS NOT NULL THEN s.status IS DISTINCT FROM call.http_status
       ELSE false END`,
  'what was carried out is not taken for not carried out': `
    SELECT s.call_id, s.seq, l.at FROM evidence.sent_now AS s
      JOIN evidence.call_log AS l ON l.call_id = s.call_id AND l.state IN ('not_carried_out', 'not_sent')
     WHERE cardinality(s.taken) > 0 AND s.at < l.at`,
  'a cluster is in no two live calls': `
    SELECT a.task_id, a.cluster_id, a.call_id AS one, b.call_id AS other,
           ${HISTORY('a.call_id')} AS one_history, ${HISTORY('b.call_id')} AS other_history
      FROM evidence.live_cluster AS a
      JOIN evidence.live_cluster AS b
        ON a.project_id = b.project_id AND a.task_id = b.task_id AND a.call_id <> b.call_id AND a.since <= b.since
       AND (a.cluster_id = b.cluster_id OR a.cluster_id IS NULL OR b.cluster_id IS NULL)
     WHERE b.since < a.until LIMIT 20`,
  'a call changes as its state machine allows': `
    SELECT * FROM evidence.call_log
     WHERE CASE WHEN from_state IS NULL THEN state <> 'sending'
                ELSE from_state <> state AND (from_state, state) NOT IN (${MOVES.join(', ')}) END`,
  'an unknown call ends by a lookup after its grace, or by its own answer': `
    SELECT l.call_id, l.state, l.at FROM evidence.call_log AS l
     WHERE l.from_state = 'unknown' AND (
           (l.state IN ('partly_accepted', 'not_carried_out') AND NOT ${LOOKED_UP('l.call_id', 'l.at')})
        OR (l.state = 'accepted' AND NOT ${LOOKED_UP('l.call_id', 'l.at')} AND NOT ${ANSWERED('l.call_id')}))`,
  'nothing is repeated before its fate is known': `
    WITH line AS (
      SELECT s.seq, s.at, s.task_id, s.project_id, s.reply, s.status, s.call_id, c AS cluster_id
        FROM evidence.sent_now AS s CROSS JOIN LATERAL unnest(s.clusters) AS c),
    pair AS (
      SELECT line.*, lag(seq) OVER w AS before, lag(at) OVER w AS before_at, lag(call_id) OVER w AS before_call,
             lag(reply) OVER w AS before_reply, lag(status) OVER w AS before_status
        FROM line WINDOW w AS (PARTITION BY project_id, task_id, cluster_id ORDER BY seq))
    SELECT DISTINCT seq, before, before_call, call_id, before_reply, before_status FROM pair
     WHERE before IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM evidence.upstream AS u
                        WHERE u.operation LIKE 'List%' AND u.status = 200 AND u.project_id = pair.project_id
                          AND u.task_id = pair.task_id AND u.at BETWEEN before_at AND pair.at)
       -- Whoever sent it was told, and it is over.
       AND NOT EXISTS (SELECT 1 FROM evidence.call_log AS l
                        WHERE l.call_id = before_call AND NOT l.watched AND l.at <= pair.at AND before_reply = 'answered'
                          AND l.state NOT IN ('not_sent', 'not_carried_out', 'unknown'))
       -- It was held, but its fate could not be found out for too long; its targets ended as unverified, and somebody asked again.
       AND NOT EXISTS (SELECT 1 FROM evidence.call_log AS held JOIN evidence.call_log AS l ON l.call_id = held.call_id AND l.id > held.id
                        WHERE l.call_id = before_call AND held.state = 'unknown' AND held.watched
                          AND l.state = 'unknown' AND NOT l.watched AND l.at <= pair.at)
     LIMIT 20`,
  'no window is exceeded at the upstream': `
    SELECT * FROM (
      SELECT seq, operation, at, lag(at, (SELECT window_calls FROM evidence.run)) OVER (PARTITION BY operation, credential ORDER BY at, seq) AS first
        FROM evidence.upstream WHERE operation IN ('RetryTask', 'ListTasks', 'ListTaskResources') AND credential IS NOT NULL) AS u
     WHERE at - first < (SELECT window_ms - 1 FROM evidence.run) * interval '1 ms'`,
  'no call starts in a pause': `
    SELECT call.id, p.paused_until FROM call
      JOIN evidence.lane_log AS p ON p.lane_id = call.lane_id AND call.started_at > p.at + interval '5 ms' AND call.started_at < p.paused_until
     WHERE ${IN_RUN}`,
  'nothing leaves in a pause': `
    SELECT s.seq, s.at, p.paused_until FROM evidence.sent_now AS s JOIN call ON call.id = s.call_id
      JOIN evidence.lane_log AS p ON p.lane_id = call.lane_id
     WHERE s.at > p.at + interval '250 ms' AND s.at < p.paused_until`,
  'nothing leaves after its lease': `SELECT seq, at, call_id, lease_until FROM evidence.sent_now WHERE at > lease_until`,
  'a lease is as long as the time-outs and the margin': `
    SELECT call.id, call.started_at, call.lease_until FROM call, evidence.run
     WHERE ${IN_RUN} AND call.lease_until - call.started_at <> run.lease_ms * interval '1 ms'`,
  'a call names at most 200 clusters': `SELECT seq, cardinality(clusters) FROM evidence.upstream WHERE cardinality(clusters) > 200`,
  'one request a key': `
    SELECT caller, idempotency_key, array_agg(DISTINCT request_id) FROM evidence.client WHERE status = 202
     GROUP BY 1, 2 HAVING count(DISTINCT request_id) > 1
    UNION ALL
    SELECT caller, labels ->> 'submission', array_agg(id) FROM request WHERE labels ? 'submission'
     GROUP BY 1, 2 HAVING count(*) > 1`,
  "a caller's answer is about the caller's own request": `
    SELECT c.submission, c.caller, r.caller AS of FROM evidence.client AS c JOIN request AS r ON r.id = c.request_id
     WHERE r.caller <> c.caller OR r.labels ->> 'submission' <> c.submission`,
  'a target ends once': `SELECT * FROM evidence.ended_again`,
  'a verdict is of a scan that its call began': `
    SELECT i.target_id, i.call_id, t.cluster_id, i.status, i.reason, ${HISTORY('i.call_id')} AS history
      FROM scan_item AS i JOIN target AS t ON t.id = i.target_id JOIN call ON call.id = i.call_id
     WHERE ${IN_RUN} AND NOT EXISTS (SELECT 1 FROM evidence.sent_now AS s WHERE s.call_id = i.call_id AND t.cluster_id = ANY(s.taken))`,
  'accepted calls are watched at each commit': `SELECT * FROM evidence.unwatched`,
  'a schedule moves on with a fire, and not without': `
    SELECT m.* FROM evidence.moved_on AS m
     WHERE NOT EXISTS (SELECT 1 FROM schedule_fire AS f
                        WHERE f.schedule_id = m.schedule_id AND f.kind = 'scheduled'
                          AND m.due_at BETWEEN coalesce(f.missed_since, f.due_at) AND f.due_at)`,
  // That none is taken twice is a unique index; each is a fire, or was missed before the one that follows.
  'no due time of a schedule is lost': `
    WITH fire AS (
      SELECT s.id, (s.terms ->> 'every')::interval AS every, f.due_at, coalesce(f.missed_since, f.due_at) AS covered_from,
             coalesce(lag(f.due_at) OVER (PARTITION BY s.id ORDER BY f.due_at), s.anchor_at) AS before
        FROM schedule AS s JOIN schedule_fire AS f ON f.schedule_id = s.id AND f.kind = 'scheduled'
       WHERE s.terms ->> 'every' IS NOT NULL)
    SELECT * FROM fire WHERE covered_from <> before + every`,
  'a due time is taken when it has come, and not later than the service was away': `
    SELECT id, schedule_id, due_at, created_at FROM schedule_fire WHERE kind = 'scheduled' AND created_at < due_at`,
  'the end of a request is told to whoever asked for it': `
    SELECT c.request_id, c.state, c.tries FROM callback AS c
     WHERE c.created_at >= (SELECT since FROM evidence.run)
       AND (c.state <> 'delivered'
            OR NOT EXISTS (SELECT 1 FROM evidence.notice AS n WHERE n.request_id = c.request_id AND n.status BETWEEN 200 AND 299))`,
  'a notice has a try that was written down before it': `
    SELECT * FROM (
      SELECT n.request_id, n.at, row_number() OVER (PARTITION BY n.request_id ORDER BY n.at) AS nth FROM evidence.notice AS n) AS n
     WHERE (SELECT count(*) FROM callback_try AS t
             WHERE t.request_id = n.request_id AND t.started_at < n.at + interval '1 ms') < n.nth`,
  'a notice is signed, and comes after the end': `
    SELECT n.* FROM evidence.notice AS n LEFT JOIN request AS r ON r.id = n.request_id
     WHERE NOT n.signed OR r.finished_at IS NULL OR n.at < r.finished_at - interval '1 ms'`,
  ...BREACHES,
};

export type Breaches = Readonly<Record<string, readonly unknown[]>>;

export async function breaches(postgres: FaultPostgres): Promise<Breaches> {
  const found: Record<string, unknown[]> = {};
  for (const [name, sql] of Object.entries(PROMISES)) {
    const rows = await postgres.query<Record<string, unknown>>(sql);
    if (rows.length > 0) found[name] = rows;
  }
  return found;
}
