import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Rules that find bugs or keep a promise of the design, and no taste: layout is prettier's. Which folder may import which
 * one stands in .dependency-cruiser.cjs; what a file says inside stands here.
 */

const noConsole = {
  selector: "MemberExpression[object.name='console']",
  message: 'Log through the logger: only a main and the quickstart talk to a terminal.',
};

const noEnvironment = ["[property.name='env']", "[property.value='env']"].map((property) => ({
  selector: `MemberExpression[object.name='process']${property}`,
  message: 'A main reads the environment, once, and src/config parses it. Inject a slice of AppConfig.',
}));

const noClockNoChance = [
  "CallExpression[callee.object.name='Date'][callee.property.name='now']",
  "CallExpression[callee.name='Date']",
  "NewExpression[callee.name='Date'][arguments.length=0]",
  "MemberExpression[object.name='performance']",
  "MemberExpression[object.name='Math'][property.name='random']",
].map((selector) => ({
  selector,
  message: 'Time and chance come in as arguments; in the ledger time comes from rescan_now().',
}));

/** Nest reads a parameter's class at run time: a type-only import leaves `Object` there, and nothing is validated any more. */
const noDtoAsType = [
  "ImportDeclaration[importKind='type'][source.value=/[.]dto[.]js$/]",
  "ImportDeclaration[source.value=/[.]dto[.]js$/] > ImportSpecifier[importKind='type']",
].map((selector) => ({
  selector,
  message: 'Import a DTO as a value: a type-only import switches its validation off without an error.',
}));

/** What "only src/ledger writes" looks like in code: raw SQL in templates and strings, and Prisma's own writes. */
const writingSql =
  /(^|\s|\()(INSERT\s+INTO\s|UPDATE\s+[a-z_"]+(\s+(AS\s+)?[a-z_]+)?\s+SET\s|DELETE\s+FROM\s|MERGE\s+INTO\s|TRUNCATE\s+(TABLE\s)?|FOR\s+(NO\s+KEY\s+)?UPDATE\b)/i;
const prismaWrite = 'callee.property.name=/^(create|update|delete|upsert)(Many)?(AndReturn)?$/';
const noWrites = [
  'MemberExpression[property.name=/^[$]executeRaw/]',
  `TemplateElement[value.raw=${writingSql}]`,
  `Literal[value=${writingSql}]`,
  `CallExpression[${prismaWrite}][callee.object.object.name=/^(prisma|tx|db)$/]`,
  `CallExpression[${prismaWrite}][callee.object.object.property.name=/^(prisma|tx|db)$/]`,
].map((selector) => ({ selector, message: 'Only src/ledger writes and locks rows: add a guarded method there.' }));

/** A test that is left out, or that hides the others, says nothing when it is green. */
const noTestLeftOut = [
  'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(only|skip|todo|failing)$/]',
  'MemberExpression[object.object.name=/^(it|test|describe)$/][property.name=/^(only|skip|failing)$/]',
  'CallExpression[callee.name=/^(fit|fdescribe|xit|xtest|xdescribe)$/]',
].map((selector) => ({ selector, message: 'No test is left out, and none hides the others.' }));

/** ESLint replaces a rule's options instead of adding to them: each block that uses this says all that holds for its files. */
const forbid = (...lists) => ({ 'no-restricted-syntax': ['error', ...lists.flat()] });

const onlyQueuesRing = {
  '@typescript-eslint/no-restricted-imports': [
    'error',
    {
      paths: [
        { name: 'bullmq', importNames: ['Queue', 'FlowProducer', 'JobScheduler'] },
        { name: '@nestjs/bullmq', importNames: ['InjectQueue', 'InjectFlowProducer', 'getQueueToken'] },
      ].map((path) => ({ ...path, message: 'Only src/platform/queues adds jobs: ring through Bells.' })),
    },
  ],
};

export default defineConfig(
  { ignores: ['dist/', 'coverage/', 'reports/', '.stryker-tmp/', '.rescan/', 'src/generated/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-param-reassign': 'error',
      'no-else-return': 'error',
      'object-shorthand': 'error',
      'max-depth': ['error', 4],
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        // A default is where a `switch` over a union calls assertNever: it stands beside the cases, and replaces none.
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/prefer-optional-chain': 'error',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/require-array-sort-compare': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', caughtErrors: 'all', ignoreRestSiblings: true },
      ],
      // Numbers and booleans in a message are what one wants to read; objects and undefined never are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Nest modules are empty classes with a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // `return this.#end(...)` and `void (a || b())` are short, and what they would hide the compiler sees.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // A DTO is a shape with decorators; answers are plain objects of that shape, on purpose.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      ...forbid(noConsole, noEnvironment, noDtoAsType, noWrites),
      ...onlyQueuesRing,
      '@typescript-eslint/explicit-module-boundary-types': 'error',
    },
  },
  {
    files: ['src/domain/**/*.ts'],
    rules: {
      ...forbid(noConsole, noEnvironment, noDtoAsType, noWrites, noClockNoChance),
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'crypto', 'fetch', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map(
          (name) => ({ name, message: 'The domain is pure.' }),
        ),
      ],
    },
  },
  { files: ['src/ledger/**/*.ts'], rules: forbid(noConsole, noEnvironment, noDtoAsType, noClockNoChance) },
  { files: ['src/config/**/*.ts'], rules: forbid(noConsole, noDtoAsType, noWrites) },
  { files: ['src/platform/queues/**/*.ts'], rules: { '@typescript-eslint/no-restricted-imports': 'off' } },
  // The simulator has no logger: nothing of the service may come into it. A bug of it must be seen all the same.
  { files: ['src/simulator/server.ts'], rules: forbid(noEnvironment, noDtoAsType, noWrites) },
  {
    files: ['src/main.ts', 'src/*.main.ts', 'src/quickstart/**/*.ts', 'src/simulator/main.ts'],
    rules: forbid(noDtoAsType, noWrites),
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      ...forbid(noDtoAsType, noTestLeftOut),
      // A describe block is a table of contents.
      'max-lines-per-function': 'off',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      // Tests read the JSON of answers: a wrong path fails the test by itself, and types would only repeat the expectation.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['console', 'process', 'Buffer', 'URL', 'fetch', 'setTimeout', 'clearTimeout', 'performance', 'WebAssembly']
          .concat(['module', 'require', 'AbortController', 'AbortSignal'])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
);
