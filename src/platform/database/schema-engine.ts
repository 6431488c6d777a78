import { readFile } from 'node:fs/promises';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';

export type { SchemaEngine };

/** Nothing in our database is managed by others. */
export const noFilters = { externalTables: [], externalEnums: [] };

/** All that the engine needs to know of a schema beforehand; without one it panics. */
const PROVIDER = 'datasource db {\n  provider = "postgresql"\n}\n';

let loading: Promise<void> | undefined;

/** Prisma's own engine as WebAssembly: the native one is a download, which a closed network does not allow. */
export async function openSchemaEngine(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<SchemaEngine> {
  loading ??= loadEngine();
  await loading;
  const bound = bindMigrationAwareSqlAdapterFactory(adapter);
  return bindings.SchemaEngine.new({ datamodels: [['schema.prisma', PROVIDER]] }, ignoreLog, bound);
}

/** As much of it as is used here; its types come with the DOM's, which a server should not have. */
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
};

/** Node 20 does not import `.wasm`, so the package's own entry does not load: instantiate the file by hand. */
async function loadEngine(): Promise<void> {
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: throwPanic } });
  const file = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    './schema_engine_bg.js': { ...bindings, ...patientTimers() },
  });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
}

/** The engine sets a time limit of ten seconds and never takes it back, which would keep a finished process alive for as long. */
function patientTimers(): Record<string, unknown> {
  const names = Object.keys(bindings).filter((name) => name.startsWith('__wbg_setTimeout_'));
  const unreferenced = (callback: () => void, ms: number): NodeJS.Timeout => setTimeout(callback, ms).unref();
  return Object.fromEntries(names.map((name) => [name, unreferenced]));
}

/** Whatever goes wrong is thrown as well; the log only narrates. */
function ignoreLog(): void {
  return;
}

/** The engine says here why it panics, and then ends the process with a bare "unreachable". */
function throwPanic(message: string): never {
  throw new Error(`Prisma's schema engine panicked: ${message}`);
}
