import { ApiPropertyOptional } from '@nestjs/swagger';
import type { CallbackConfig } from '../config/app-config.js';
import { DomainError } from '../domain/domain-error.js';
import { findOutboundUrlFault, MAX_URL_LENGTH } from '../platform/outbound/outbound-url.js';

const NOTICE =
  'a POST of {type: "request.finished" | "request.cancelled", timestamp, data: {requestId, projectId, enterpriseProjectId, taskId, state, counts, labels, createdAt, finishedAt}}, signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature)';

export const ApiCallbackUrl = (exception = ''): PropertyDecorator =>
  ApiPropertyOptional({
    type: String,
    format: 'uri',
    maxLength: MAX_URL_LENGTH,
    description: `Where the end of the request is told: ${NOTICE}. It comes at least once, until it is answered by a 2xx or a 410. The URL is https, without user, password and fragment, and leads to addresses of the internet.${exception}`,
  });

/** As far as the URL itself shows it: what its name resolves to is looked at before each try. */
export function refuseCallback(url: string | null, { secrets, allowPrivate }: CallbackConfig): void {
  if (url === null) return;
  if (secrets.length === 0) {
    throw new DomainError(
      'callbacks_not_configured',
      'This rescan signs no callbacks: leave callbackUrl out, or ask its operators to set CALLBACK_SECRETS.',
    );
  }
  const message = findOutboundUrlFault(url, allowPrivate);
  if (message === null) return;
  const errors = [{ path: 'callbackUrl', message }];
  throw new DomainError('malformed', 'The request does not fit the API; see "errors".', { errors });
}
