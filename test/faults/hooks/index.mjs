/**
 * Goes before the service in a process of the fault suite (`NODE_OPTIONS=--import`): loads the hooks that `FAULT_HOOKS` names. The
 * service itself is the same as in production, from source.
 */
import { isMainThread } from 'node:worker_threads';
import '../../support/typescript.mjs';

if (isMainThread) {
  const names = (process.env.FAULT_HOOKS ?? '').split(',').filter((name) => name !== '');
  for (const name of names) await import(`./${name}.ts`);
}
