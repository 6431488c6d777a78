import { readFileSync } from 'node:fs';

/**
 * The licences of what we ship: production dependencies, from the lock file, which unlike node_modules also knows the
 * packages of other platforms. `devOptional` is the Prisma CLI with its friends, an optional peer of @prisma/client: the
 * image leaves it out (`--omit=optional`), and a checkout has it as a development dependency.
 */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

const read = (path) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));

/** `(MIT OR GPL-3.0)` is fine when one side is, `MIT AND Zlib` when both are. Nothing we ship nests deeper. */
function isAllowed(expression) {
  const bare = expression.replace(/^\((.*)\)$/, '$1');
  if (bare.includes(' OR ')) return bare.split(' OR ').some(isAllowed);
  if (bare.includes(' AND ')) return bare.split(' AND ').every(isAllowed);
  return ALLOWED.has(bare);
}

/** Old packages have `licenses: [{type}]`, which the lock file leaves out. */
function installedLicence(path) {
  try {
    const { license, licenses = [] } = read(`${path}/package.json`);
    return license?.type ?? license ?? licenses.map(({ type }) => type).join(' OR ');
  } catch (error) {
    if (error.code === 'ENOENT') return ''; // Of another platform.
    throw error;
  }
}

const { packages } = read('package-lock.json');
const shipped = Object.entries(packages).filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional);
const licences = shipped.map(([path, entry]) => [path, entry.license ?? (installedLicence(path) || 'none')]);
const refused = licences.filter(([, licence]) => !isAllowed(licence));

const counts = new Map();
for (const [, licence] of licences) counts.set(licence, (counts.get(licence) ?? 0) + 1);
const summary = [...counts].sort(([, a], [, b]) => b - a).map(([licence, count]) => `${licence} ${count}`);
process.stdout.write(`${shipped.length} packages are shipped: ${summary.join(', ')}\n`);
for (const [path, licence] of refused) {
  process.stderr.write(`${path}: the licence "${licence}" is not in the list of scripts/check-licences.mjs\n`);
}
process.exitCode = refused.length === 0 ? 0 : 1;
