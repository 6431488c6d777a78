import { expect } from '@jest/globals';
import { request, type IncomingMessage } from 'node:http';
import type { ApiClient } from './api-client.js';

export const EXPORT_KINDS = ['calls', 'targets', 'events'] as const;

export interface ExportedRow {
  readonly cursor: string;
  readonly [field: string]: any;
}

/** The answer as it comes from the wire: neither decompressed nor read, until the test reads it. */
export function openExport(
  client: ApiClient,
  query: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = `${client.baseUrl}/v1/audit/export?${query}`;
    const sent = request(
      url,
      { agent: false, headers: { authorization: `Bearer ${client.key}`, ...headers } },
      resolve,
    );
    sent.once('error', reject);
    sent.end();
  });
}

export const getExport = (client: ApiClient, query: string): Promise<Response> =>
  fetch(`${client.baseUrl}/v1/audit/export?${query}`, {
    headers: { authorization: `Bearer ${client.key}`, connection: 'close' },
  });

export async function exported(client: ApiClient, query: string): Promise<ExportedRow[]> {
  const answer = await getExport(client, `format=ndjson&${query}`);
  const text = await answer.text();
  expect([answer.status, text === '' || text.endsWith('\n')]).toEqual([200, true]);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as ExportedRow);
}
