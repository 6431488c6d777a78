import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Mapping } from './mapping.js';
import { Secret } from './secret.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface SecretSources {
  readonly env: Environment;
  /** Throws where the file cannot be read. */
  readonly readFile: (path: string) => string;
}

/** @param folder relative paths are read from it: that of the file that names them. */
export function secretSources(env: Environment, folder: string): SecretSources {
  return { env, readFile: (path) => readFileSync(resolve(folder, path), 'utf8') };
}

/** What the wire can carry: keys and tokens go into headers. */
const VISIBLE = /^[\x21-\x7E]+$/;

/** A key as it is sent in a header; see `readSecret`. */
export function readKey(mapping: Mapping, name: string, sources: SecretSources): Secret | null {
  const secret = readSecret(mapping, name, sources);
  if (!secret || VISIBLE.test(secret.reveal())) return secret;
  return mapping.problem(name, 'holds characters that a header cannot carry');
}

/** @returns the secret that `<name>Env` or `<name>File` leads to; null with a problem noted. */
export function readSecret(mapping: Mapping, name: string, sources: SecretSources): Secret | null {
  const [env, file] = [mapping.get(`${name}Env`), mapping.get(`${name}File`)];
  if ((env === undefined) === (file === undefined)) {
    return mapping.problem(name, `give either ${name}Env (a variable's name) or ${name}File (a file's path)`);
  }
  return env !== undefined
    ? fromEnv(mapping, `${name}Env`, env, sources)
    : fromFile(mapping, `${name}File`, file, sources);
}

export function namesSecret(mapping: Mapping, name: string): boolean {
  return mapping.has(`${name}Env`) || mapping.has(`${name}File`);
}

function fromEnv(mapping: Mapping, key: string, name: unknown, { env }: SecretSources): Secret | null {
  if (typeof name !== 'string' || !/^[A-Za-z_]\w*$/.test(name)) {
    return mapping.problem(key, 'must be the name of an environment variable, not the secret itself');
  }
  const value = env[name]?.trim();
  return value ? new Secret(value) : mapping.problem(key, 'the environment variable it names is not set');
}

function fromFile(mapping: Mapping, key: string, path: unknown, { readFile }: SecretSources): Secret | null {
  if (typeof path !== 'string' || path === '') return mapping.problem(key, 'must be the path of a file');
  try {
    const value = readFile(path).trim();
    return value ? new Secret(value) : mapping.problem(key, 'the file it names is empty');
  } catch (error) {
    return mapping.problem(key, `the file it names cannot be read${reason(error)}`);
  }
}

/** The code only: Node's message quotes the path, which may be a secret in the wrong place. */
export function reason(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? ` (${String(error.code)})` : '';
}
