import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Imports point one way: module -> handlers | store | telemetry -> watch -> backend; etcd and testing/fake implement backend, dto stands beside.
 * `test/package/imports.spec.ts` has the same direction down to the sub-folders.
 */
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
const to = (...folders) =>
  folders.map((folder) => [`^(\\.\\./)+${folder}/`, `imports point one way: not to ${folder}/.`]);

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
  mayNotImport(
    '{timing,collections}',
    ETCD3,
    GRPC,
    NEST_CORE,
    ...to('backend', 'etcd', 'watch', 'dto', 'store', 'handlers', 'telemetry', 'module'),
  ),
  mayNotImport(
    'backend',
    ETCD3,
    GRPC,
    NEST_CORE,
    ...to('etcd', 'watch', 'dto', 'store', 'handlers', 'telemetry', 'module'),
  ),
  mayNotImport('etcd', ...to('watch', 'dto', 'store', 'handlers', 'telemetry', 'module')),
  mayNotImport('watch', ETCD3, GRPC, NEST_CORE, ...to('etcd', 'dto', 'store', 'handlers', 'telemetry', 'module')),
  mayNotImport(
    'dto',
    ETCD3,
    GRPC,
    NEST_CORE,
    ...to('backend', 'etcd', 'watch', 'store', 'handlers', 'telemetry', 'module'),
  ),
  mayNotImport('store', ETCD3, GRPC, ...to('etcd', 'handlers', 'telemetry', 'module')),
  mayNotImport('handlers', ETCD3, GRPC, ...to('etcd', 'store', 'telemetry', 'module')),
  mayNotImport('telemetry', ETCD3, GRPC, NEST_CORE, ...to('etcd', 'dto', 'store', 'handlers', 'module')),
  mayNotImport('console', ETCD3, GRPC),
  mayNotImport('terminus', ETCD3, GRPC, ...to('backend', 'etcd', 'watch', 'dto', 'store', 'handlers', 'telemetry')),
  mayNotImport('testing', ETCD3, GRPC, ...to('etcd', 'dto', 'store', 'handlers', 'telemetry')),
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { '@typescript-eslint/no-extraneous-class': 'off', '@typescript-eslint/no-empty-function': 'off' },
  },
  {
    // Only compiled: the types of parameters are the subject.
    files: ['test/types/*.ts'],
    rules: { '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }] },
  },
);
