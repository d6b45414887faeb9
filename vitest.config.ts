import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Specs without processes, and without state of a module that others could see. They share the imports of a worker. */
const UNITS =
  'test/{backend,collections,coordination,dto,foreign,handlers,live,module,store,telemetry,timing,watch}/**/*.spec.ts';

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nestjs-etcd-trigger$/, replacement: fileURLToPath(new URL('lib/index.ts', import.meta.url)) },
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
      { extends: true, test: { name: 'units', include: [UNITS], isolate: false } },
      { extends: true, test: { name: 'others', include: ['test/**/*.spec.ts'], exclude: [UNITS] } },
    ],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    restoreMocks: true,
  },
});
