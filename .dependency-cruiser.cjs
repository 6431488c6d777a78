/**
 * The arrows of the design (section 6): folders lie in the order in which data flows, and an import goes against the flow
 * only where a line below says so. "May import" is a whitelist: a new arrow is a decision, and is written down here.
 */

/** Folder → what it may import from src, besides itself. `generated` is Prisma's client. */
const arrows = {
  config: ['domain'],
  domain: [],
  ledger: ['domain', 'platform', 'generated'],
  upstream: ['config', 'domain'],
  intake: ['config', 'domain', 'ledger', 'platform', 'security', 'generated', 'callbacks'],
  calling: ['config', 'domain', 'ledger', 'platform', 'upstream', 'callbacks'],
  watching: ['config', 'domain', 'ledger', 'platform', 'upstream', 'calling', 'callbacks'],
  callbacks: ['config', 'domain', 'ledger', 'platform', 'security', 'generated'],
  sweeping: ['config', 'domain', 'ledger', 'platform', 'calling', 'watching', 'schedules', 'callbacks'],
  sealing: ['config', 'domain', 'ledger', 'platform'],
  retention: ['domain', 'ledger', 'verifying'],
  verifying: ['domain', 'platform', 'generated', 'sealing'],
  schedules: ['config', 'domain', 'ledger', 'platform', 'security', 'intake', 'upstream', 'watching', 'generated'],
  audit: ['config', 'domain', 'ledger', 'platform', 'security', 'generated'],
  console: ['config', 'domain', 'ledger', 'platform', 'security', 'generated', 'calling', 'callbacks'],
  security: ['config', 'domain', 'ledger', 'platform'],
  simulator: [],
};

/** main.ts, migrate.main.ts, simulator/main.ts ... */
const MAIN = '^src/.*[/.]main[.]ts$|^src/main[.]ts$';

const folder = (name) => `^src/${name}/`;

const allowedArrows = Object.entries(arrows).map(([name, targets]) => ({
  name: `arrows-of-${name}`,
  comment: `src/${name} may import ${['itself', ...targets.map((target) => `src/${target}`)].join(', ')} and nothing else of src.`,
  severity: 'error',
  from: { path: folder(name) },
  to: { path: '^src/', pathNot: [name, ...targets].map(folder) },
}));

module.exports = {
  forbidden: [
    ...allowedArrows,
    {
      name: 'arrows-of-platform',
      comment:
        'src/platform knows no business: domain (errors), config and the generated client. Its own routes (health, metrics) say who may call them with the decorators of route-access, which import only Nest.',
      severity: 'error',
      from: { path: folder('platform') },
      to: {
        path: '^src/',
        pathNot: [...['platform', 'config', 'domain', 'generated'].map(folder), '^src/security/route-access[.]ts$'],
      },
    },
    {
      name: 'route-access-is-a-leaf',
      comment: 'Or the exception above would let platform import anything through it.',
      severity: 'error',
      from: { path: '^src/security/route-access[.]ts$' },
      to: { path: '^src/', pathNot: ['^src/domain/', '^src/security/principal[.]ts$'] },
    },
    {
      name: 'audit-only-reads',
      comment: 'That the record was read is on record as well; audit writes nothing else.',
      severity: 'error',
      from: { path: folder('audit') },
      to: { path: folder('ledger'), pathNot: '^src/ledger/events[.]ts$' },
    },
    {
      name: 'console-settles-by-hand',
      comment:
        "An operator's word on an unknown call is settled like an answer; nothing else of calling belongs to an api process.",
      severity: 'error',
      from: { path: folder('console') },
      to: { path: folder('calling'), pathNot: '^src/calling/(resolving[.]module|unknown-resolver)[.]ts$' },
    },
    {
      name: 'pages-are-read-for-others',
      comment:
        'Who wants lists, and who sweeps those that do, know what a purpose of a list is; nothing else of watching.',
      severity: 'error',
      from: { path: ['sweeping', 'schedules'].map(folder) },
      to: { path: folder('watching'), pathNot: '^src/watching/list-(work|works[.]module|answer)[.]ts$' },
    },
    {
      name: 'due-times-are-swept',
      comment: 'The sweep takes due times, and knows nothing else of schedules.',
      severity: 'error',
      from: { path: folder('sweeping') },
      to: { path: folder('schedules'), pathNot: '^src/schedules/(due-schedules|firing[.]module)[.]ts$' },
    },
    {
      name: 'callbacks-are-swept',
      comment: 'Whoever sweeps rings for what is due; how it is delivered is no business of his.',
      severity: 'error',
      from: { path: folder('sweeping') },
      to: { path: folder('callbacks'), pathNot: '^src/callbacks/(due-callbacks|delivery[.]module|request-ends)[.]ts$' },
    },
    {
      name: 'ends-are-told',
      comment: 'Whoever ends requests says so; how that is told to anybody is no business of his.',
      severity: 'error',
      from: { path: ['calling', 'watching', 'intake', 'console'].map(folder) },
      to: { path: folder('callbacks'), pathNot: '^src/callbacks/request-ends[.]ts$' },
    },
    {
      name: 'verifying-only-hashes-alike',
      comment: 'A chain is checked with the hash that it was made with, and with nothing else of whoever made it.',
      severity: 'error',
      from: { path: folder('verifying') },
      to: { path: folder('sealing'), pathNot: '^src/sealing/(chain|head-signature)[.]ts$' },
    },
    {
      name: 'domain-is-pure',
      comment: 'No Nest, Prisma, BullMQ, Node API, clock or chance: the domain imports only the domain.',
      severity: 'error',
      from: { path: folder('domain') },
      to: { pathNot: folder('domain') },
    },
    {
      name: 'upstream-stays-at-its-port',
      comment:
        'calling and watching know the port and its words; which client stands behind it is decided in one module.',
      severity: 'error',
      from: { path: ['calling', 'watching', 'schedules', 'sweeping'].map(folder) },
      to: { path: folder('upstream'), pathNot: '^src/upstream/(scan-tasks|wire|upstream[.]module)[.]ts$' },
    },
    {
      name: 'simulator-has-one-user',
      comment:
        'A stand-in for the upstream: the quickstart starts it, tests and benchmarks use it, the service never does.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['simulator', 'quickstart'].map(folder) },
      to: { path: folder('simulator') },
    },
    {
      name: 'simulator-shares-nothing-with-the-client',
      comment: 'Or a mistake in the wire format could hide on both sides: node and yaml only.',
      severity: 'error',
      from: { path: folder('simulator') },
      to: { dependencyTypesNot: ['local', 'core'], pathNot: 'node_modules/yaml/' },
    },
    {
      name: 'quickstart-has-no-users',
      comment:
        'It brings what is missing on a laptop; the service knows nothing of it. A main may print its one-line problems.',
      severity: 'error',
      from: { path: '^src/', pathNot: [folder('quickstart'), '^src/[^/]+[.]main[.]ts$'] },
      to: { path: folder('quickstart') },
    },
    {
      name: 'nobody-imports-a-main',
      comment: 'A main runs when it is imported.',
      severity: 'error',
      from: {},
      to: { path: MAIN },
    },
    {
      name: 'nobody-imports-the-assembly',
      comment: 'service.ts and app.module.ts put the rooms together: only a main, the quickstart and tests may.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: folder('quickstart') },
      to: { path: '^src/(service|app[.]module)[.]ts$' },
    },
    {
      name: 'only-queues-import-bullmq-for-adding',
      comment:
        'Adding jobs is platform/queues; a processor outside of it needs the Processor decorator and the Job type. That nobody imports Queue is an ESLint rule.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/platform/queues/', '[.](processor|module)[.]ts$'] },
      to: { path: 'node_modules/(@nestjs/)?bullmq/' },
    },
    {
      name: 'src-never-imports-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-cycles',
      comment:
        'An ESM cycle crashes at load ("Cannot access ... before initialization"), type-only ones hide the next.',
      severity: 'error',
      from: { pathNot: '^src/generated/' },
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nothing reaches and that reaches nothing is left over.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: ['^src/generated/', '[.]d[.]ts$', MAIN] },
      to: {},
    },
    {
      name: 'no-dev-dependencies-in-src',
      comment: 'Works here, and not in the image, which has production dependencies only.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'A package that package.json does not name works until somebody else stops needing it.',
      severity: 'error',
      from: { pathNot: '^src/generated/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Type-only imports count: an arrow is an arrow.
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '^src/generated/'] },
    exclude: { path: '^(dist|coverage)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    reporterOptions: { text: { highlightFocused: true } },
  },
};
