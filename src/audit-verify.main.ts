import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ArchivedChain } from './domain/record-month.js';
import { parseHead, type SealHead } from './domain/seal-head.js';
import { PrismaService } from './platform/prisma/prisma.service.js';
import type { Finding } from './verifying/chain-check.js';
import { verifyDatabase, verifyExport, type Report } from './verifying/verify.js';

const USAGE = `Usage: npm run audit:verify -- <export file>
       npm run audit:verify -- --database-url URL

Checks the chains of events, and names the first event of each that was changed, removed, inserted or reordered; of a database also the
texts of the upstream that events name by their hash. It changes nothing, and needs no service and no network but for the database.

  <export file>        of kind events, NDJSON; .gz for gzip
  --database-url URL   the service's PostgreSQL
  --head FILE          a head that was kept (or a page of them, as GET /v1/audit/heads answers): tells a chain that was cut or written anew
  --manifest FILE      that of an archive (npm run retention), whose .ndjson.gz is checked: has the heads of its time as well
  --public-key FILE    what heads must be signed with, in PEM (see GET /v1/audit/keys)
  --partial            the export may begin and end in the middle of a chain

Ends with 0 where everything fits, 1 where something does not, 2 where it could not be found out.`;

class UsageError extends Error {}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`Could not be checked: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      'database-url': { type: 'string' },
      head: { type: 'string', multiple: true, default: [] },
      manifest: { type: 'string' },
      'public-key': { type: 'string' },
      partial: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [file, ...more] = positionals;
  const url = values['database-url'];
  if ((file === undefined) === (url === undefined) || more.length > 0)
    throw new UsageError(`name one export file, or --database-url.\n\n${USAGE}`);
  const keyFile = values['public-key'];
  const manifest = values.manifest === undefined ? null : readManifest(values.manifest);
  const evidence = {
    heads: [...values.head.flatMap(readHeads), ...(manifest?.heads ?? [])],
    publicKey: keyFile === undefined ? null : readKey(keyFile),
    isPart: values.partial,
    ...(manifest && { archived: manifest.chains }),
  };
  const report = url === undefined ? await verifyExport(file ?? '', evidence) : await overDatabase(url, evidence);
  return tell(report, evidence);
}

async function overDatabase(url: string, evidence: Parameters<typeof verifyDatabase>[1]): Promise<Report> {
  const prisma = new PrismaService(url, 1);
  try {
    return await verifyDatabase(prisma, evidence);
  } finally {
    await prisma.$disconnect();
  }
}

function readHeads(path: string): SealHead[] {
  const value = JSON.parse(readFileSync(path, 'utf8')) as { items?: unknown };
  const heads = (Array.isArray(value.items) ? (value.items as unknown[]) : [value].flat()).map(parseHead);
  const good = heads.filter((head) => head !== null);
  if (good.length === 0 || good.length < heads.length) throw new UsageError(`${path} holds no heads`);
  return good;
}

function readManifest(path: string): { heads: SealHead[]; chains: ArchivedChain[] } {
  const { chains, items = [] } = JSON.parse(readFileSync(path, 'utf8')) as { chains?: unknown; items?: unknown[] };
  if (!Array.isArray(chains)) throw new UsageError(`${path} is no manifest of an archive of events`);
  return { heads: items.map(parseHead).filter((head) => head !== null), chains: chains as ArchivedChain[] };
}

function readKey(path: string): KeyObject {
  const key = createPublicKey(readFileSync(path, 'utf8'));
  if (key.asymmetricKeyType !== 'ed25519') throw new UsageError(`${path} is no Ed25519 key`);
  return key;
}

function tell(
  { events, ends, findings, unchecked }: Report,
  { heads, publicKey }: Parameters<typeof verifyDatabase>[1],
): number {
  for (const { projectId, seq, base } of ends) {
    const archived = base
      ? ` (the first ${base.seq} lie in archives: check them by themselves, the last is ${base.file ?? ''})`
      : '';
    console.log(`whole: ${named(projectId)}, ${seq} events${archived}`);
  }
  for (const finding of findings) console.log(`BROKEN: ${describe(finding)}`);
  if (heads.length === 0)
    console.log('No kept head was given: a chain that was cut, or written anew as a whole, would not show.');
  else if (!publicKey) console.log('No public key was given: that the heads are genuine was not checked.');
  console.log(
    `${events} events in ${new Set([...ends, ...findings].map(({ projectId }) => projectId)).size} chains: ${findings.length === 0 ? 'all fits' : 'NOT GENUINE'}.`,
  );
  for (const { projectId, seq } of unchecked) {
    console.log(
      `NOT CHECKED: the head of ${named(projectId)} at ${seq} speaks of what lies in an archive: check that file with it.`,
    );
  }
  if (findings.length > 0) return 1;
  return unchecked.length === 0 ? 0 : 2;
}

function named(projectId: string): string {
  return projectId === '' ? 'events of no project' : `project ${projectId}`;
}

function describe({ projectId, seq, eventId, what, detail }: Finding): string {
  const place = [named(projectId), seq !== null && `seq ${seq}`, eventId !== null && `event ${eventId}`];
  return `${place.filter(Boolean).join(', ')}: ${what}: ${detail}`;
}
