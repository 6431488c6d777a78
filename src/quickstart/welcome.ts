import type { DemoTask } from './simulated-upstream.js';

export interface Welcome {
  readonly url: string;
  readonly key: string;
  /** Null: the upstream is not ours, and only its owner knows a task to try. */
  readonly task: DemoTask | null;
}

/** What somebody needs who sees the service for the first time. The request retries clusters that really failed in the simulator. */
export function welcome({ url, key, task }: Welcome): string {
  const body = JSON.stringify({
    projectId: task?.projectId ?? '<project id>',
    taskId: task?.taskId ?? '<task id>',
    range: 'all_failed_cluster',
  });
  return `
rescan is ready: ${url}

API key for development: ${key}

Retry the failed clusters of a scan task${task === null ? ' (fill in its ids)' : ''}:

  curl -s ${url}/v1/requests \\
    -H 'Authorization: Bearer ${key}' \\
    -H 'Content-Type: application/json' \\
    -H "Idempotency-Key: try-$(date +%s)" \\
    -d '${body}'

See what became of it:

  curl -s ${url}/v1/requests -H 'Authorization: Bearer ${key}'

API: ${url}/docs. Ctrl-C stops everything; the next start goes on from here.
`;
}

export const help = `npm start: runs the whole service on this machine, and starts what it needs and is not given.

  DATABASE_URL      Postgres 18 to use              default: an embedded one, with its data under DATA_DIR
  REDIS_URL         Redis to use                    default: none, the queue is kept in Postgres
  CREDENTIALS_FILE  upstream credentials to use     default: a simulator as upstream, with failed scans to retry
  DATA_DIR          what is kept between starts     default: .rescan
  PORT, HOST        where the service listens       default: 3000, 127.0.0.1
  DEV_API_KEY       API key for development         default: a random one, kept in DATA_DIR/dev-key
  CALLBACK_SECRETS  what callbacks are signed with  default: a random one, kept in DATA_DIR/callback-secret

Ctrl-C stops all of it; a second Ctrl-C does not wait. NODE_DEBUG=rescan adds stacks to problems.
`;
