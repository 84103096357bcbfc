import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// Of the selectors below every block takes the whole list that holds for it: ESLint replaces a rule's options, it never
// adds to them.
const NO_DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration, ExportSpecifier[exported.name="default"]',
  message: 'No default exports: one name for one thing, everywhere it is used.',
};
const NO_ENV = {
  selector:
    'MemberExpression[object.name="process"][property.name="env"], MemberExpression[object.name="process"][property.value="env"], VariableDeclarator[init.name="process"] Property[key.name="env"]',
  message: 'The environment is read once, by src/platform/config: take the value from AppConfig.',
};
const NO_BARE_TRANSACTION = {
  selector: 'CallExpression[callee.property.name=/^(transaction|startTransaction)$/]',
  message:
    'Use UnitOfWork.run(ctx, name, work): it sets the tenant, names the transaction and retries by SQLSTATE.',
};
const NO_SAVE = {
  selector: 'CallExpression[callee.property.name="save"]',
  message:
    'Not save(): it takes over a row with a foreign primary key. Use insert or update with named SQL inside UnitOfWork.run.',
};

/** What the scripts in plain JavaScript use of Node's globals; TypeScript checks its own. */
const NODE_GLOBALS = [
  ...['AbortController', 'AbortSignal', 'Buffer', 'URL', 'console', 'fetch', 'performance', 'process'],
  ...['setImmediate', 'setInterval', 'setTimeout', 'clearInterval', 'clearTimeout', 'structuredClone'],
];

/** An exception to a rule says why on its own line (`-- because …`), or review can't tell it from a convenience. */
const disableSaysWhy = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: { why: 'Say why this rule is switched off: `eslint-disable-… rule -- reason`.' },
  },
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments())
        if (/^\s*eslint-disable/.test(comment.value) && !/\s--\s+\S/.test(comment.value))
          context.report({ loc: comment.loc, messageId: 'why' });
    },
  }),
};

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', '.tartware/', '.kafka/', 'coverage/', '.mirror/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    plugins: { tartware: { rules: { 'disable-says-why': disableSaysWhy } } },
    rules: {
      'tartware/disable-says-why': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-unused-expressions': 'error',
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: Object.fromEntries(NODE_GLOBALS.map((name) => [name, 'readonly'])) },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-expressions': 'error',
      // `Known | string` tells a reader more than `string`.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // What was caught may be passed on as it came.
      '@typescript-eslint/only-throw-error': ['error', { allowRethrowing: true, allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // TypeScript reports them itself (noUnusedLocals, noUnusedParameters).
      '@typescript-eslint/no-unused-vars': 'off',
      // An implementation of an async port may have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_ENV, NO_BARE_TRANSACTION, NO_SAVE],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: 'node:process', message: NO_ENV.message },
            { name: 'process', message: NO_ENV.message },
          ],
        },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['src/platform/cli/**/*.ts', 'src/main.ts', 'src/cli.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['src/platform/config/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_BARE_TRANSACTION, NO_SAVE] },
  },
  {
    // The one place that may open a transaction.
    files: ['src/platform/database/unit-of-work.ts'],
    rules: { 'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_ENV, NO_SAVE] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', '**/*.spec.ts'],
    rules: {
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      // Answers of HTTP and of the database come as any; the assertions are what checks them.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Their tools ask for a default export: ESLint, Jest, dependency-cruiser, TypeORM.
    files: ['*.config.mjs', '.*.mjs', 'ormconfig.ts', 'migrations/**/*.ts', 'test/support/global-*.mjs'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
