import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../src/generated/prisma/client.js';
import { withSettings } from '../../src/platform/database/with-settings.js';
import { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { RECORD_SETTINGS, type RecordPrisma } from '../../src/platform/prisma/record-prisma.js';
import { statementNames } from '../../src/platform/prisma/statement-names.js';

/** A node of `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)`; what it counts is an average of its loops. */
interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks'?: number;
  'Shared Read Blocks'?: number;
  Plans?: Node[];
}

/** How Postgres carried out one statement. */
export interface Plan {
  readonly sql: string;
  /** Buffers that it looked at: also what an index makes it step over. */
  readonly buffers: number;
  /** Rows that came out of a table or an index, wanted or not. */
  readonly rows: Readonly<Record<string, number>>;
  /** Tables that were read from end to end; an empty one does not count. */
  readonly readWhole: readonly string[];
}

const SETTINGS = {
  // A small table is read whole because that is cheap. Here it is dear, so that it says: there is no index for it.
  enable_seqscan: 'off',
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
};

/** As auditors are connected, over tables of which none that counts is small: whole reads need not be made dear to be seen. */
export const OF_READERS = { ...RECORD_SETTINGS, enable_seqscan: 'on' };

/**
 * The service's own connection, prepared statements included, over a Postgres that tells how it carried out each statement:
 * so plans are seen as they are in use, generic ones too, with the values that were really sent.
 */
export function listenToPlans(
  url: string,
  hear: (plan: Plan) => void,
  settings: Readonly<Record<string, string>> = {},
): RecordPrisma {
  const pool = new pg.Pool({ connectionString: withSettings(url, { ...SETTINGS, ...settings }), max: 4 });
  pool.on('connect', (client) => {
    client.on('notice', ({ message }) => {
      const plan = readPlan(message ?? '');
      if (plan) hear(plan);
    });
  });
  const adapter = new PrismaPg(pool, { statementNameGenerator: statementNames(), disposeExternalPool: true });
  const client = new PrismaClient({ adapter });
  const transact: PrismaService['transact'] = (work) => PrismaService.prototype.transact.call(client, work) as never;
  return Object.assign(client, { transact }) as unknown as RecordPrisma;
}

function readPlan(message: string): Plan | null {
  if (!/^duration: \S+ ms {2}plan:/.test(message)) return null;
  const explained = JSON.parse(message.slice(message.indexOf('{'))) as { 'Query Text': string; Plan: Node };
  const rows: Record<string, number> = {};
  const readWhole: string[] = [];
  for (const node of nodesOf(explained.Plan)) {
    const table = node['Relation Name'];
    if (table === undefined || !node['Node Type'].endsWith('Scan')) continue;
    const name = withoutPartition(table);
    const read = rowsOf(node);
    rows[name] = (rows[name] ?? 0) + read;
    if (node['Node Type'].endsWith('Seq Scan') && read > 0) readWhole.push(name);
  }
  const { 'Shared Hit Blocks': hit = 0, 'Shared Read Blocks': read = 0 } = explained.Plan;
  return { sql: explained['Query Text'], buffers: hit + read, rows, readWhole };
}

function nodesOf(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function rowsOf(node: Node): number {
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': rechecked = 0 } = node;
  return Math.round((node['Actual Rows'] + filtered + rechecked) * node['Actual Loops']);
}

const withoutPartition = (table: string): string => table.replace(/_(default|\d{4}_\d{2})$/, '');
