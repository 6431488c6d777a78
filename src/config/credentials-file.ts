import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { CallLimit, CredentialConfig } from './app-config.js';
import { ConfigError } from './config-error.js';
import { readAuth } from './credential-auth.js';
import { Mapping, Problems } from './mapping.js';
import { parseOrigin } from './origin.js';
import { reason, secretSources, type Environment, type SecretSources } from './secret-source.js';

const NAME = /^[a-z0-9-]{1,40}$/;
const EGRESS = /^[A-Za-z0-9._:-]{1,64}$/;
const PROJECT = /^(?!\.{1,2}$)[\x21-\x7E]{1,256}$/;

const DEFAULT_CALLS = 5;
const DEFAULT_WINDOW_MS = 60_000;
const DEFAULT_LIMIT: CallLimit = Object.freeze({ calls: DEFAULT_CALLS, windowMs: DEFAULT_WINDOW_MS });
const UNLIMITED: CallLimit = Object.freeze({ calls: null, windowMs: DEFAULT_WINDOW_MS });
const DEFAULT_TIMEOUT_MS = 30_000;

/** @throws ConfigError with every problem of the file. */
export function loadCredentials(path: string, env: Environment): readonly CredentialConfig[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`CREDENTIALS_FILE: the file cannot be read${reason(error)}`]);
  }
  return parseCredentials(text, secretSources(env, dirname(path)));
}

/** @throws ConfigError with every problem, each with its path. */
export function parseCredentials(text: string, sources: SecretSources): readonly CredentialConfig[] {
  const problems = new Problems();
  const file = Mapping.of(parseYaml(text, problems), '', problems);
  const list = file ? (readList(file, 'credentials') ?? []) : [];
  const credentials = list.map((entry, index) => parseCredential(entry, `credentials[${index}]`, problems, sources));
  file?.refuseRest();
  refuseTwins(list, problems);
  refuse(problems);
  return Object.freeze(credentials.filter((credential) => credential !== null));
}

/** The parser's own messages quote the file, so only their codes are shown. */
function parseYaml(text: string, problems: Problems): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  const faults = [...document.errors, ...document.warnings];
  for (const { code, pos } of faults)
    problems.add(`line ${lineCounter.linePos(pos[0]).line}`, `no valid YAML (${code})`);
  refuse(problems);
  try {
    return document.toJS() as unknown;
  } catch {
    // Unresolved or endlessly nested aliases; the error quotes them.
    problems.add('', 'its aliases cannot be resolved; write the values out');
    return refuse(problems);
  }
}

function parseCredential(
  entry: unknown,
  path: string,
  problems: Problems,
  sources: SecretSources,
): CredentialConfig | null {
  const mapping = Mapping.of(entry, path, problems);
  if (!mapping) return null;
  const before = problems.list.length;
  const read = {
    name: mapping.text('name', NAME, '1 to 40 characters of a-z, 0-9 and -'),
    hssUrl: readOrigin(mapping, 'hssUrl'),
    iamUrl: readOrigin(mapping, 'iamUrl'),
    auth: readAuth(mapping, sources),
    projects: readProjects(mapping),
    egress: mapping.text('egress', EGRESS, '1 to 64 characters of letters, digits and . _ : -', 'default'),
    limits: readLimits(mapping),
    timeoutMs: mapping.whole('timeoutMs', 100, 300_000, DEFAULT_TIMEOUT_MS),
  };
  mapping.refuseRest();
  // Each reader that gave null has noted a problem.
  return problems.list.length === before ? (Object.freeze(read) as CredentialConfig) : null;
}

function readOrigin(mapping: Mapping, key: string): string | null {
  const raw = mapping.text(key, /\S/, 'the URL of the service, without a path');
  if (raw === null) return null;
  const parsed = parseOrigin(raw);
  return 'origin' in parsed ? parsed.origin : mapping.problem(key, parsed.problem);
}

function readProjects(mapping: Mapping): readonly string[] | '*' | null {
  if (mapping.get('projects') === '*') return '*';
  const list = readList(mapping, 'projects', ' of project ids, or "*"');
  if (!list) return null;
  const isGood = list.every((id) => typeof id === 'string' && PROJECT.test(id));
  if (!isGood) return mapping.problem('projects', 'each must be a project id in quotes, 1 to 256 visible characters');
  return Object.freeze([...new Set(list as string[])]);
}

function readLimits(mapping: Mapping): object | null {
  const limits = mapping.has('limits')
    ? mapping.mapping('limits')
    : Mapping.of({}, mapping.pathOf('limits'), mapping.problems);
  if (!limits) return null;
  const read = {
    retryTask: readLimit(limits, 'retryTask'),
    listTasks: readLimit(limits, 'listTasks'),
    listTaskResources: readLimit(limits, 'listTaskResources'),
  };
  limits.refuseRest();
  return Object.freeze(read);
}

function readLimit(limits: Mapping, key: string): object | null {
  if (!limits.has(key)) return DEFAULT_LIMIT;
  if (limits.get(key) === 'unlimited') return UNLIMITED;
  const limit = limits.mapping(key);
  if (!limit) return null;
  const read = {
    calls: limit.get('calls') === 'unlimited' ? null : limit.whole('calls', 1, 1_000_000, DEFAULT_CALLS),
    windowMs: limit.whole('windowMs', 1, 86_400_000, DEFAULT_WINDOW_MS),
  };
  limit.refuseRest();
  return Object.freeze(read);
}

function readList(mapping: Mapping, key: string, what = ''): readonly unknown[] | null {
  const value = mapping.get(key);
  return Array.isArray(value) && value.length > 0
    ? value
    : mapping.problem(key, `must be a list${what}, with one entry or more`);
}

/** A name is a part of its lanes' ids. */
function refuseTwins(list: readonly unknown[], problems: Problems): void {
  const seen = new Set<unknown>();
  for (const [index, entry] of list.entries()) {
    const name = typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : undefined;
    if (name !== undefined && seen.has(name)) problems.add(`credentials[${index}].name`, 'is taken by an earlier one');
    seen.add(name);
  }
}

function refuse({ list }: Problems): void {
  if (list.length > 0) throw new ConfigError(list.map((problem) => `CREDENTIALS_FILE: ${problem}`));
}
