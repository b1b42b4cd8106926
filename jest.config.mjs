import { availableParallelism } from 'node:os';

/** Jest runs our TypeScript as ES modules: Nest 12 is ESM-only, and Node 20's jest cannot require() it. */
export default {
  // Ends what a spec left.
  testEnvironment: '<rootDir>/tools/jest/environment.mjs',
  // Makes the build and installs programs for the chosen specs, and starts the longest first.
  testSequencer: '<rootDir>/tools/jest/sequencer.mjs',
  // Names what still runs after the tests and ends the run without it, so Jest need not complain.
  globalTeardown: '<rootDir>/tools/jest/ending.mjs',
  openHandlesTimeout: 0,
  // A busy machine takes longer than Jest's 500 ms.
  workerGracefulExitTimeout: 5_000,
  // Ends a test that hangs; waits have bounds of their own.
  testTimeout: 120_000,
  // Tests wait for servers, leases and time limits much of the time: a worker needs less than half of a core.
  maxWorkers: 2 * availableParallelism(),
  setupFiles: [
    'reflect-metadata',
    '<rootDir>/test/quiet-logs.mjs',
    '<rootDir>/libs/testing/test/patience.mjs',
  ],
  testMatch: ['<rootDir>/{apps,libs,test}/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    '^@wss/nest/contract$': '<rootDir>/libs/contract/src/index.ts',
    '^@wss/nest/(health|metrics)$': '<rootDir>/libs/nest/src/$1/index.ts',
    '^@wss/nest/testing$': '<rootDir>/libs/testing/src/published/index.ts',
    '^@wss/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.+)\\.js$': '$1',
  },
};
