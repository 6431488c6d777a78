import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { DCLinter } from 'dclint';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';

/**
 * What can be said about Dockerfile and docker-compose.yml without a Docker engine: their syntax, the compose file against
 * the compose specification, and that what they name is there. Whether the image runs, only an engine can tell.
 */
const problems = [
  ...dockerfileSyntax(),
  ...dockerfileSources(),
  ...composeSyntax(),
  ...composeVariables(),
  ...byDocker(),
];

for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function dockerfileSyntax() {
  const found = validate(readFileSync('Dockerfile', 'utf8'));
  return found.map(({ range, message }) => `Dockerfile:${range.start.line + 1} ${message}`);
}

/** Every file that is copied in from here exists and is let through by .dockerignore, which refuses what it does not name. */
function dockerfileSources() {
  const letThrough = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copies = readFileSync('Dockerfile', 'utf8').matchAll(/^COPY (?!--from)(.+) \S+$/gm);
  return [...copies]
    .flatMap(([, sources]) => sources.split(' '))
    .filter(
      (source) => !existsSync(source) || !letThrough.some((path) => source === path || source.startsWith(`${path}/`)),
    )
    .map((source) => `Dockerfile: ${source} does not exist, or .dockerignore keeps it out`);
}

function composeSyntax() {
  const linter = new DCLinter({ rules: {}, exclude: [], quiet: false, debug: false });
  const results = linter.lintFiles(['docker-compose.yml'], false);
  return results.flatMap(({ messages }) =>
    messages
      .filter(({ type }) => type === 'error')
      .map(({ line, rule, message }) => `docker-compose.yml:${line} ${rule}: ${message}`),
  );
}

/** A variable that the service does not know is a setting that quietly has no effect. */
function composeVariables() {
  const known = readFileSync('src/config/env-variables.ts', 'utf8');
  const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
  return Object.entries(services)
    .filter(([, service]) => service.build !== undefined)
    .flatMap(([name, service]) =>
      Object.keys(service.environment)
        .filter((variable) => !known.includes(`'${variable}'`))
        .map(
          (variable) => `docker-compose.yml: ${name} sets ${variable}, which src/config/env-variables.ts does not name`,
        ),
    );
}

/** The compose plugin reads and merges the file itself, and needs no engine for that. */
function byDocker() {
  const compose = (...args) =>
    spawnSync('docker', ['compose', ...args], {
      encoding: 'utf8',
      env: { ...process.env, POSTGRES_PASSWORD: 'for-the-check' },
    });
  if (compose('version').status !== 0) {
    process.stdout.write('No compose plugin here: checked against the compose specification only\n');
    return [];
  }
  const { status, stderr } = compose('--file', 'docker-compose.yml', 'config', '--quiet');
  return status === 0 ? [] : [`docker compose config: ${stderr.trim()}`];
}
