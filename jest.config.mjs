/** What every ring shares. Nest 12 is ESM only, so the tests run as ESM as well, on jest's vm modules. */
const shared = {
  rootDir: '.',
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // The source names './x.js', as Node wants it; in a test run only './x.ts' exists.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.tartware/', '<rootDir>/.kafka/'],
  setupFiles: ['<rootDir>/test/support/setup.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        module: { type: 'es6' },
        sourceMaps: 'inline',
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
      },
    ],
  },
};

const ring = (name, ...folders) => ({
  ...shared,
  displayName: name,
  testMatch: folders.map((folder) => `<rootDir>/${folder}/**/*.spec.ts`),
});

// The Kafka ring needs a broker (Java, Maven): only `npm run test:kafka` asks for it.
const kafka = process.env.TARTWARE_RING === 'kafka';

export default {
  projects: kafka
    ? [ring('kafka', 'test/kafka')]
    : [
        ring('unit', 'src', 'migrations', 'bench'),
        ring('architecture', 'test/architecture'),
        ring('golden', 'test/golden'),
        ring('integration', 'test/integration'),
        ring('e2e', 'test/e2e'),
        ring('faults', 'test/faults', 'test/simulate'),
      ],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  maxWorkers: kafka ? 1 : 2,
  // Only there to end what hangs: a busy machine is no failure.
  testTimeout: 180_000,
};
