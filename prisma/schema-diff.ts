import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
  SqlResultSet,
} from '@prisma/driver-adapter-utils';
import { noFilters, openSchemaEngine } from '../src/platform/database/schema-engine.js';

const TEXT = 7;

/** The SQL that leads from one schema file to another; null is the empty database. Needs no database. */
export async function diffSchemas(from: string | null, to: string): Promise<string> {
  const engine = await openSchemaEngine(noDatabase);
  const { stdout } = await engine.diff({
    from: from === null ? { tag: 'empty' } : datamodel(from),
    to: datamodel(to),
    script: true,
    exitCode: null,
    filters: noFilters,
  });
  return stdout ?? '';
}

function datamodel(content: string): { tag: 'schemaDatamodel'; files: { path: string; content: string }[] } {
  return { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content }] };
}

/** All that the engine asks before a diff of two files: whether the schema is there, and which Postgres this is. */
const greeting: SqlResultSet = {
  columnNames: ['exists', 'version', 'numeric_version'],
  columnTypes: [5, TEXT, 0],
  rows: [[true, 'PostgreSQL 18.4', 180_004]],
};

const unsupported = (): Promise<never> =>
  Promise.reject(new Error('There is no database behind a diff of schema files'));

const adapter: SqlDriverAdapter = {
  provider: 'postgres',
  adapterName: 'none',
  queryRaw: () => Promise.resolve(greeting),
  executeRaw: unsupported,
  executeScript: unsupported,
  startTransaction: unsupported,
  getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
  dispose: () => Promise.resolve(),
};

const noDatabase: SqlMigrationAwareDriverAdapterFactory = {
  provider: 'postgres',
  adapterName: 'none',
  connect: () => Promise.resolve(adapter),
  connectToShadowDb: unsupported,
};
