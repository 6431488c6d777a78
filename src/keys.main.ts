import { parseArgs } from 'node:util';
import { ApiKeyLedger } from './ledger/api-keys.js';
import { PrismaService } from './platform/prisma/prisma.service.js';
import { resolveDatabase } from './quickstart/resolve-database.js';
import { hashOfKey, newKey } from './security/api-keys.js';
import { SCOPES } from './security/principal.js';

const USAGE = `Usage: npm run keys -- <command>

  create --caller NAME [--scopes a,b] [--projects ID,ID]   makes a key, and prints it once
  list                                                     all keys, without the keys themselves
  revoke ID                                                ends a key at once

  --scopes     of ${SCOPES.join(', ')}; default requests:write,requests:read
  --projects   project ids; default * (every project)

The database is that of DATABASE_URL, or the embedded one under DATA_DIR (default .rescan), started where it does not run.`;

/** What the user can mend: printed as it is, without a stack. */
class UsageError extends Error {}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      caller: { type: 'string' },
      scopes: { type: 'string', default: 'requests:write,requests:read' },
      projects: { type: 'string', default: '*' },
    },
  });
  const [command, id] = positionals;
  if (values.help || command === undefined) return console.log(USAGE);
  const run = commandOf(command, id, values);
  const database = await resolveDatabase(process.env);
  const prisma = new PrismaService(database.url, 1);
  try {
    await run(new ApiKeyLedger(prisma));
  } finally {
    await prisma.$disconnect();
    await database.close();
  }
}

/** Everything that can be wrong with the command is found before a database is started. */
function commandOf(
  command: string,
  id: string | undefined,
  options: { caller?: string; scopes: string; projects: string },
): (ledger: ApiKeyLedger) => Promise<void> {
  switch (command) {
    case 'create': {
      const scopes = options.scopes.split(',');
      const unknown = scopes.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
      if (unknown.length > 0)
        throw new UsageError(`No such scope: ${unknown.join(', ')}. There are ${SCOPES.join(', ')}.`);
      const caller = options.caller ?? '';
      if (!/^[\w.-]{1,64}$/.test(caller))
        throw new UsageError('--caller needs a name of 1 to 64 letters, digits, - _ or .');
      return (ledger) => create(ledger, caller, scopes, options.projects.split(','));
    }
    case 'list':
      return list;
    case 'revoke':
      if (!id || !/^[0-9a-f-]{36}$/.test(id)) throw new UsageError('revoke needs the id of a key: see "list".');
      return (ledger) => revoke(ledger, id);
    default:
      throw new UsageError(`No such command: ${command}.\n\n${USAGE}`);
  }
}

async function create(ledger: ApiKeyLedger, caller: string, scopes: string[], projects: string[]): Promise<void> {
  const key = newKey();
  const id = await ledger.create({ hash: hashOfKey(key), caller, scopes, projects });
  console.log(`${key}\n\nThis is the key ${id} of ${caller}. It is shown this once.`);
}

async function list(ledger: ApiKeyLedger): Promise<void> {
  for (const { id, caller, scopes, projects, createdAt, revokedAt } of await ledger.list()) {
    const state = revokedAt ? `revoked ${revokedAt.toISOString()}` : 'active';
    console.log([id, caller, scopes.join(','), projects.join(','), createdAt.toISOString(), state].join('  '));
  }
}

async function revoke(ledger: ApiKeyLedger, id: string): Promise<void> {
  if (!(await ledger.revoke(id))) throw new UsageError(`No active key has the id ${id}.`);
  console.log(`Revoked ${id}.`);
}
