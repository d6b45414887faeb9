import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

/**
 * Specs that replace a module, load one anew, change the state of a library, or look at the resources of the process:
 * each has a process of its own. The others share that of their worker, with the modules that it has imported.
 */
const ISOLATED = [
  'test/dto/fuzz/*.spec.ts',
  'test/etcd-trigger.errors.spec.ts',
  'test/etcd/transport/*.spec.ts',
  'test/integration/etcd.hostile-server.spec.ts',
  'test/integration/etcd.three-addresses.spec.ts',
];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nestjs-etcd-trigger$/, replacement: fileURLToPath(new URL('lib/index.ts', import.meta.url)) },
      {
        find: /^nestjs-etcd-trigger\/console$/,
        replacement: fileURLToPath(new URL('lib/console/index.ts', import.meta.url)),
      },
      {
        find: /^nestjs-etcd-trigger\/terminus$/,
        replacement: fileURLToPath(new URL('lib/terminus/index.ts', import.meta.url)),
      },
      {
        find: /^nestjs-etcd-trigger\/testing$/,
        replacement: fileURLToPath(new URL('lib/testing/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.spec.ts'], exclude: ISOLATED, isolate: false } },
      { extends: true, test: { name: 'isolated', include: ISOLATED } },
    ],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // More than the two cores that a run may expect: most specs wait for etcd, and not for the processor.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    restoreMocks: true,
  },
});
