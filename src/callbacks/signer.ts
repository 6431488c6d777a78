import { Webhook } from 'standardwebhooks';
import type { Secret } from '../config/secret.js';
import type { Notice } from './notice.js';

/** Signs as Standard Webhooks says: by each secret, so that a receiver may know the old one or the new one. */
export class NoticeSigner {
  readonly #webhooks: readonly Webhook[];

  constructor(secrets: readonly Secret[]) {
    this.#webhooks = secrets.map((secret) => new Webhook(secret.reveal()));
  }

  /** @param at by the database's clock: a receiver refuses what is more than some minutes off */
  headers({ messageId, body }: Notice, at: Date): Record<string, string> {
    const signatures = this.#webhooks.map((webhook) => webhook.sign(messageId, at, body));
    return {
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': signatures.join(' '),
    };
  }
}
