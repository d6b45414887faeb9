import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

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
    include: ['test/**/*.spec.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    restoreMocks: true,
  },
});
