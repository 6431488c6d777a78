import { spawnSync } from 'node:child_process';

/**
 * Every gate, one after the other, each under its heading. All of them run, also after a failure: one run tells all that
 * is wrong. Each is a script of its own in package.json, to be run alone while one works on it.
 */
const GATES = [
  ['check:format', 'layout (prettier)'],
  ['check:types', 'types (tsc)'],
  ['check:lint', 'rules inside a file (eslint, typed)'],
  ['check:arrows', 'rules between files (dependency-cruiser)'],
  ['check:unused', 'unused files, exports and packages (knip)'],
  ['check:pins', 'pinned versions, lock file'],
  ['check:licences', 'licences of what is shipped'],
  ['check:docker', 'Dockerfile and docker-compose.yml, syntax only'],
  ['db:drift', 'migrations against the schema'],
];

const outcomes = GATES.map(([script, what]) => {
  process.stdout.write(`\n── ${script}: ${what}\n`);
  const startedAt = performance.now();
  const { status } = spawnSync('npm', ['run', '--silent', script], { stdio: ['ignore', 'inherit', 'inherit'] });
  return { script, isGood: status === 0, seconds: ((performance.now() - startedAt) / 1000).toFixed(1) };
});

process.stdout.write('\n── check\n');
for (const { script, isGood, seconds } of outcomes) {
  process.stdout.write(`${isGood ? 'passed' : 'FAILED'}  ${script.padEnd(16)} ${seconds.padStart(6)} s\n`);
}
process.exitCode = outcomes.every(({ isGood }) => isGood) ? 0 : 1;
