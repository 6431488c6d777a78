import { DomainError, type FieldError } from '../domain/domain-error.js';
import type { Submission } from '../domain/request.js';
import { SubmitRequestDto } from './submit-request.dto.js';

/** Fills in the defaults, and checks what no single field can say. @throws DomainError `malformed` */
export function toSubmission(body: SubmitRequestDto): Submission {
  const fault = findFault(body);
  if (fault) throw new DomainError('malformed', 'The request does not fit the API; see "errors".', { errors: [fault] });
  return {
    projectId: body.projectId,
    enterpriseProjectId: body.enterpriseProjectId ?? '0',
    taskId: body.taskId,
    range: body.range,
    clusterIds: [...new Set(body.clusterIds)].sort(),
    scanTypes: [...(body.scanTypes ?? [])].sort(),
    priority: body.priority ?? 'normal',
    deadline: body.deadline ?? null,
    maxRounds: body.maxRounds ?? 1,
    labels: body.labels ?? {},
    callbackUrl: body.callbackUrl ?? null,
  };
}

function findFault({ range, clusterIds, scanTypes }: SubmitRequestDto): FieldError | null {
  if (range === 'specific_cluster') {
    return clusterIds ? null : { path: 'clusterIds', message: 'is needed with range specific_cluster' };
  }
  if (clusterIds) return { path: 'clusterIds', message: 'goes with range specific_cluster only' };
  // RetryTask has no scan types for a whole task: it would rescan more than was asked for.
  return scanTypes ? { path: 'scanTypes', message: 'goes with range specific_cluster only' } : null;
}
