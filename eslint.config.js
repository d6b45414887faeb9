import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Imports point one way: module -> handlers | store -> watch | dto -> errors; etcd implements what watch declares. */
const mayNotImport = (folder, ...patterns) => ({
  files: [`lib/${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          { regex: '^@nestjs/[^/]+/', message: 'Nest is imported from package roots only.' },
          ...patterns.map(([regex, message]) => ({ regex, message })),
        ],
      },
    ],
  },
});

const ETCD3 = ['^etcd3', 'only lib/etcd imports etcd3.'];
const GRPC = ['^@grpc/', 'only lib/etcd speaks gRPC.'];
const NEST_CORE = ['^@nestjs/core', 'no Nest core.'];
const MODULE = ['etcd-trigger\\.(module|module-definition)', 'nothing imports the module.'];
const to = (folder) => [`^(\\.\\./)+${folder}/`, `imports point one way: not to ${folder}/.`];

export default defineConfig(
  globalIgnores(['dist/', '**/.snippets/', '**/dist/', 'coverage/', 'node_modules/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Nest's option bags are classes that nobody instantiates.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `as T` where an index is known to exist; `!` is forbidden.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/dot-notation': [
        'error',
        { allowPrivateClassPropertyAccess: true, allowProtectedClassPropertyAccess: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  mayNotImport('watch', ETCD3, GRPC, MODULE, NEST_CORE, to('etcd'), to('dto'), to('store'), to('handlers')),
  mayNotImport('dto', ETCD3, GRPC, MODULE, NEST_CORE, to('etcd'), to('watch'), to('store'), to('handlers')),
  mayNotImport('etcd', MODULE, to('dto'), to('store'), to('handlers')),
  mayNotImport('store', ETCD3, GRPC, MODULE, to('etcd'), to('handlers')),
  mayNotImport('handlers', ETCD3, GRPC, MODULE, to('etcd'), to('store')),
  mayNotImport('telemetry', ETCD3, GRPC, MODULE, NEST_CORE, to('etcd'), to('dto'), to('store'), to('handlers')),
  mayNotImport('terminus', ETCD3, GRPC, MODULE, to('etcd'), to('watch'), to('dto'), to('store'), to('handlers')),
  mayNotImport('testing', ETCD3, GRPC, to('etcd'), to('dto'), to('store'), to('handlers')),
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { '@typescript-eslint/no-extraneous-class': 'off', '@typescript-eslint/no-empty-function': 'off' },
  },
);
