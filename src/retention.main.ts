import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parseDuration } from './domain/duration.js';
import { RECORD_KINDS, type RecordKind } from './domain/record-month.js';
import { MonthDrops } from './ledger/month-drops.js';
import { RecordMonthLedger } from './ledger/record-months.js';
import { connectWithin } from './platform/database/connect.js';
import { PrismaService } from './platform/prisma/prisma.service.js';
import { Archivist } from './retention/archivist.js';
import { applyRetention, type RetentionOptions } from './retention/retention.js';
import { SealedRows } from './verifying/sealed-rows.js';

const USAGE = `Usage: npm run retention -- --archive FOLDER [--requests 830d] [--calls 800d] [--lists 90d] [--events 800d] [--dry-run]

Writes months of the record that are older than they are kept to files (NDJSON, gzip), reads them back, and drops their partitions.
What is not named is kept for ever. Run it once a month, beside the running service.

  --archive FOLDER   where the files go, one for each database; it exists, and is backed up
  --requests AGE     requests that have ended, their targets, and what scans said of these
  --calls AGE        calls of RetryTask
  --lists AGE        calls of the lists
  --events AGE       events, and the heads of their chains
  --dry-run          only says what would go

The database is that of DATABASE_URL, with the login that migrates: the service's own may not drop anything.
An age counts from the end of a month: 400d is 400 days.`;

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean' },
      archive: { type: 'string' },
      requests: { type: 'string' },
      calls: { type: 'string' },
      lists: { type: 'string' },
      events: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const keepMs: Partial<Record<RecordKind, number>> = {};
  for (const kind of RECORD_KINDS) {
    const age = values[kind];
    if (age !== undefined) keepMs[kind] = ageOf(kind, age);
  }
  if (Object.keys(keepMs).length === 0) throw new Error(`say how long something is kept.\n\n${USAGE}`);
  const { archive } = values;
  if (archive === undefined) throw new Error('--archive: name a folder for the files');
  if (!(await stat(archive).catch(() => null))?.isDirectory()) throw new Error(`--archive: ${archive} is no folder`);
  const url = process.env['DATABASE_URL'];
  if (!url) throw new Error('set DATABASE_URL to the database, with the login that migrates');
  await run(url, archive, { keepMs, dryRun: values['dry-run'] });
}

function ageOf(kind: RecordKind, text: string): number {
  const ms = parseDuration(text);
  if (ms === null || !text.endsWith('d')) throw new Error(`--${kind}: "${text}" is no number of days, such as 400d`);
  return ms;
}

async function run(url: string, folder: string, options: RetentionOptions): Promise<void> {
  const owner = await connectWithin(url, 5_000);
  const prisma = new PrismaService(url, 1);
  try {
    const drops = new MonthDrops(owner);
    if (!(await drops.takeTurn())) throw new Error('another retention of this database is running');
    const months = new RecordMonthLedger(prisma);
    const archivist = new Archivist(months, new SealedRows(prisma), folder);
    await applyRetention({ months, archivist, drops }, options, console.log);
  } finally {
    await prisma.$disconnect();
    await owner.end();
  }
}
