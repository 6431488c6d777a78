import { messageIdOf } from '../domain/callback.js';
import type { EndedRequest } from '../ledger/callbacks.js';

/** What a receiver gets. A field may be added; none goes away. */
export interface Notice {
  readonly messageId: string;
  readonly body: string;
}

/** The same bytes at every try: what has ended does not change. */
export function noticeOf(request: EndedRequest): Notice {
  const { id, projectId, enterpriseProjectId, taskId, state, counts, labels, createdAt, finishedAt } = request;
  const data = { requestId: id, projectId, enterpriseProjectId, taskId, state, counts, labels, createdAt, finishedAt };
  return {
    messageId: messageIdOf(id),
    body: JSON.stringify({ type: `request.${state}`, timestamp: finishedAt, data }),
  };
}
