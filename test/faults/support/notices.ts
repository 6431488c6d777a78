import { Webhook } from 'standardwebhooks';
import type { Received } from '../../support/receiver.js';
import type { FaultPostgres } from './postgres.js';

/** What the receiver was told, and what it answered. */
export async function loadNotices(
  postgres: FaultPostgres,
  received: readonly Received[],
  secret: string,
): Promise<void> {
  const webhook = new Webhook(secret);
  await postgres.query(
    `INSERT INTO evidence.notice
     SELECT request_id, to_timestamp(at / 1000.0), status, signed
       FROM jsonb_to_recordset($1::jsonb) AS r (request_id uuid, at float8, status int, signed boolean)`,
    [JSON.stringify(received.map((one) => asRow(one, webhook)))],
  );
}

function asRow({ headers, body, at, status }: Received, webhook: Webhook): object {
  const id = String(headers['webhook-id']);
  const saidAt = new Date(Number(headers['webhook-timestamp']) * 1_000);
  // Not `verify`: it wants the moment to be of these minutes, and a run may take longer.
  const signed = webhook.sign(id, saidAt, body) === headers['webhook-signature'];
  return { request_id: id.replace('msg_', ''), at, status, signed };
}
