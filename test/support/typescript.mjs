/**
 * `node --import ./test/support/typescript.mjs script.ts` runs TypeScript from source: Node 20 cannot, and the swc that Jest uses can.
 * The module registers itself: it runs once in the main thread, and once in the thread of the loader, where its hooks are called.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { swcOptions } from './swc.mjs';

if (isMainThread) register(import.meta.url);

/** Source imports say `.js`, as the compiled files need it. */
export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const compiled = new URL(specifier, context.parentURL).href.replace('/src/', '/dist/');
    // Hooks that go before a built service mean its modules, and not their sources beside them.
    if (process.env.RESCAN_BUILT && compiled.includes('/dist/')) return next(compiled, context);
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  return { format: 'module', source: await compiled(filename, await readFile(filename, 'utf8')), shortCircuit: true };
}

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/rescan/', import.meta.url));

/** By content, so that it is never stale: a test run starts the service hundreds of times, and half of a start was compiling. */
async function compiled(filename, text) {
  const key = createHash('sha1').update(JSON.stringify(swcOptions)).update(`\0${filename}\0${text}`).digest('hex');
  const file = `${CACHE}${key}.mjs`;
  if (existsSync(file)) return readFile(file, 'utf8');
  const { transform } = await import('@swc/core');
  const { code } = await transform(text, { ...swcOptions, filename, configFile: false, swcrc: false });
  await mkdir(CACHE, { recursive: true });
  // Others may read and write it at the same time.
  await writeFile(`${file}.${process.pid}`, code);
  await rename(`${file}.${process.pid}`, file);
  return code;
}
