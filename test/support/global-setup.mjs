import './typescript.mjs';

const { startTestServers } = await import('./test-servers.ts');
const { problemLine } = await import('../../src/quickstart/startup-problem.ts');

/** Once for all files of all projects that name it; the unit tests do not. */
export default async function globalSetup() {
  try {
    globalThis.rescanTestServers = await startTestServers();
  } catch (error) {
    // Jest would print a stack of its own around the one line that matters.
    process.stderr.write(`${problemLine(error)}\n`);
    process.exit(1);
  }
}
