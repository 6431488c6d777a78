import { swcOptions } from './test/support/swc.mjs';

/** Jest as native ESM: Nest 12 is ESM only, and so are we. */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swcOptions] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};

/** Postgres and Redis are started once for all projects that want them, and not at all for the unit tests. */
const withServers = {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

const project = (name, extra = {}) => ({
  ...shared,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  ...extra,
});

export default {
  // Jest takes it here only, and ignores it in a project.
  testTimeout: 30_000,
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/test/support/count-reporter.mjs'],
  projects: [
    project('unit'),
    project('contract'),
    project('integration', withServers),
    project('e2e', withServers),
    // Some of each kind of fault; all of them are `npm run test:faults`.
    project('faults', { testMatch: ['<rootDir>/test/faults/short.test.ts'] }),
  ],
};
