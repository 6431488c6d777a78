import { DataFolder } from '../../../src/quickstart/data-folder.js';
import { openEmbeddedPostgres } from '../../../src/quickstart/postgres/embedded-postgres.js';

/** Runs the embedded Postgres until it is killed: for tests of what a crash leaves behind. */
const folder = DataFolder.locate(process.env);
await folder.lock();
const report = (line: string): boolean => process.stdout.write(`${line}\n`);
const postgres = await openEmbeddedPostgres(folder, { report, signal: new AbortController().signal, durable: false });
process.stdout.write(`up ${process.pid} ${postgres.url}\n`);
setInterval(() => undefined, 60_000);
