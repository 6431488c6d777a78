import { swcOptions } from '../support/swc.mjs';

/** The fault suite by itself (`npm run test:faults`): it brings its own servers, and takes half an hour. */
export default {
  rootDir: '../..',
  displayName: 'faults',
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swcOptions] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testMatch: ['<rootDir>/test/faults/**/*.test.ts'],
  // Its parts are all here.
  testPathIgnorePatterns: ['short\\.test\\.ts$'],
  testTimeout: 150_000,
  // Two worlds at once: a run mostly waits, for leases and drains.
  maxWorkers: 2,
};
