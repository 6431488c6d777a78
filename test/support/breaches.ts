/** What must hold after every committed transaction, each as a query that finds the rows that break it. */
export const BREACHES: Readonly<Record<string, string>> = {
  'the counts of a request are those of its targets': `
    SELECT r.id FROM request AS r
      JOIN LATERAL (
        SELECT count(*) AS total, count(*) FILTER (WHERE t.state = 'waiting') AS waiting,
               count(*) FILTER (WHERE t.state = 'in_call' AND c.state = 'sending') AS sending,
               count(*) FILTER (WHERE t.state = 'in_call' AND c.state = 'unknown') AS unknown,
               count(*) FILTER (WHERE t.state = 'in_call' AND c.state IN ('accepted', 'partly_accepted')) AS accepted,
               count(*) FILTER (WHERE t.result = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE t.result = 'scan_failed') AS scan_failed,
               count(*) FILTER (WHERE t.result = 'not_failed') AS not_failed,
               count(*) FILTER (WHERE t.result = 'not_found') AS not_found,
               count(*) FILTER (WHERE t.result = 'rejected') AS rejected,
               count(*) FILTER (WHERE t.result = 'exhausted') AS exhausted,
               count(*) FILTER (WHERE t.result = 'expired') AS expired,
               count(*) FILTER (WHERE t.result = 'cancelled') AS cancelled,
               count(*) FILTER (WHERE t.result = 'unverified') AS unverified
          FROM target AS t LEFT JOIN call AS c ON c.id = t.call_id WHERE t.request_id = r.id) AS n ON true
     WHERE (r.total, r.waiting, r.sending, r.unknown, r.accepted, r.succeeded, r.scan_failed, r.not_failed, r.not_found, r.rejected, r.exhausted, r.expired, r.cancelled, r.unverified)
        IS DISTINCT FROM
           (n.total, n.waiting, n.sending, n.unknown, n.accepted, n.succeeded, n.scan_failed, n.not_failed, n.not_found, n.rejected, n.exhausted, n.expired, n.cancelled, n.unverified)`,
  'a request is open as long as a target has no result': `
    SELECT id FROM request WHERE (state = 'open') <> (waiting + sending + unknown + accepted > 0)`,
  'a request is looked for no later than its first due target, unless a whole-task call is live': `
    SELECT r.id FROM request AS r JOIN scan_task AS s ON s.id = r.scan_task_id
     WHERE r.waiting > 0
       AND r.next_due_at > (SELECT min(due_at) FROM target WHERE request_id = r.id AND state = 'waiting')
       AND NOT EXISTS (SELECT 1 FROM live_cluster AS l
                        WHERE l.project_id = s.project_id AND l.task_id = s.task_id AND l.cluster_id = '')`,
  'a callback waits as long as its request is open': `
    SELECT c.request_id FROM callback AS c JOIN request AS r ON r.id = c.request_id
     WHERE (c.state = 'waiting') <> (r.state = 'open')`,
  'a delivered callback was taken by its last try, and by no other': `
    SELECT c.request_id FROM callback AS c JOIN callback_try AS t USING (request_id)
     GROUP BY c.request_id
    HAVING max(t.number) <> c.tries OR count(*) <> c.tries
        OR count(*) FILTER (WHERE t.finished_at IS NOT NULL AND t.error_code IS NULL) <> CASE c.state WHEN 'delivered' THEN 1 ELSE 0 END`,
  'a cluster in a call is held by that call': `
    SELECT t.id FROM target AS t JOIN scan_task AS s ON s.id = t.scan_task_id
     WHERE t.state = 'in_call'
       AND NOT EXISTS (SELECT 1 FROM live_cluster AS l
                        WHERE l.project_id = s.project_id AND l.task_id = s.task_id
                          AND l.cluster_id = coalesce(t.cluster_id, '') AND l.call_id = t.call_id)`,
  'only live calls hold clusters': `
    SELECT l.call_id FROM live_cluster AS l LEFT JOIN call AS c ON c.id = l.call_id
     WHERE c.id IS NULL OR c.state NOT IN ('sending', 'accepted', 'partly_accepted', 'unknown') OR (c.state <> 'sending' AND c.verdict_due_at IS NULL)`,
  'a cluster is held for somebody': `
    SELECT l.call_id, l.cluster_id FROM live_cluster AS l
     WHERE l.cluster_id <> '' AND NOT EXISTS (SELECT 1 FROM target AS t WHERE t.call_id = l.call_id AND t.cluster_id = l.cluster_id)`,
  'a whole-task call is live alone': `
    SELECT l.task_id FROM live_cluster AS l
     GROUP BY l.project_id, l.task_id HAVING bool_or(l.cluster_id = '') AND count(DISTINCT l.call_id) > 1`,
  'a parked target has a live call to wait for': `
    SELECT t.id FROM target AS t JOIN scan_task AS s ON s.id = t.scan_task_id
     WHERE t.state = 'waiting' AND t.due_at = 'infinity'
       AND NOT EXISTS (SELECT 1 FROM live_cluster AS l
                        WHERE l.project_id = s.project_id AND l.task_id = s.task_id
                          AND (l.cluster_id IN (t.cluster_id, '') OR t.cluster_id IS NULL))`,
  'no window is exceeded': `
    SELECT c.id FROM call AS c JOIN lane ON lane.id = c.lane_id
     WHERE lane.calls IS NOT NULL
       AND (SELECT count(*) FROM call AS other
             WHERE other.lane_id = c.lane_id AND other.id <> c.id AND other.started_at <= c.started_at
               AND other.slot_free_at > c.started_at) >= lane.calls`,
  'a target in a call that was answered waits for a verdict, or its time-out': `
    SELECT t.id FROM target AS t JOIN call AS c ON c.id = t.call_id
     WHERE t.state = 'in_call' AND c.state <> 'sending' AND c.verdict_due_at IS NULL`,
  'accepted calls are watched, as soon as their clusters are known': `
    SELECT c.id FROM call AS c
     WHERE c.state IN ('accepted', 'partly_accepted') AND c.verdict_due_at IS NOT NULL AND c.cluster_count > 0
       AND NOT EXISTS (SELECT 1 FROM watch WHERE watch.scan_task_id = c.scan_task_id)`,
  'a scan that a target waits for is watched, and not waited for for ever': `
    SELECT t.id FROM target AS t
     WHERE t.state = 'waiting' AND t.scan_seen_at IS NOT NULL
       AND (t.due_at = 'infinity' OR NOT EXISTS (SELECT 1 FROM watch WHERE watch.scan_task_id = t.scan_task_id))`,
  'rounds stay within what was asked for': `
    SELECT t.id FROM target AS t JOIN request AS r ON r.id = t.request_id WHERE t.round > r.max_rounds`,
  'attempts stay within the policy': `SELECT id FROM target WHERE attempts > 5`,
  'a call of clusters has 1 to 200 of them, each once': `
    SELECT c.id FROM call AS c
     WHERE c.range_type = 'specific_cluster'
       AND (c.cluster_count NOT BETWEEN 1 AND 200
            OR c.cluster_count <> (SELECT count(DISTINCT t.cluster_id) FROM target AS t WHERE t.id = ANY(c.target_ids)))`,
  'a request of a schedule is that of one scan task of one fire': `
    SELECT r.id FROM request AS r JOIN scan_task AS s ON s.id = r.scan_task_id
     WHERE r.source = 'schedule'
       AND NOT EXISTS (SELECT 1 FROM fire_task AS t
                        WHERE t.fire_id = (r.labels ->> 'fire')::uuid AND t.task_id = s.task_id AND t.request_id = r.id
                          AND t.clusters_taken = r.total)`,
  'what a fire says it took is what it requested': `
    SELECT f.id, f.state FROM schedule_fire AS f
     CROSS JOIN LATERAL (
           SELECT count(r.id) AS tasks, coalesce(sum(t.clusters_taken), 0) AS clusters,
                  count(*) FILTER (WHERE t.state = 'submitted' AND r.id IS NULL OR t.state = 'waiting' AND f.state <> 'open') AS loose
             FROM fire_task AS t LEFT JOIN request AS r ON r.id = t.request_id WHERE t.fire_id = f.id) AS n
     WHERE (f.tasks_taken, f.clusters_taken, 0) IS DISTINCT FROM (n.tasks, n.clusters, n.loose)`,
  'a cluster that a fire took is a target of its request, and no other is': `
    SELECT c.fire_id, c.task_id, c.cluster_id FROM fire_task AS t JOIN fire_cluster AS c USING (fire_id, task_id)
     WHERE t.state = 'submitted'
       AND (c.reason IS NULL) <> EXISTS (SELECT 1 FROM target WHERE request_id = t.request_id AND cluster_id = c.cluster_id)`,
};
