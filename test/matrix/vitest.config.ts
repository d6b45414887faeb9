import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.js';

/** Tests of all supported versions. They take minutes and need the network. */
export default defineConfig({
  ...(base.resolve && { resolve: base.resolve }),
  test: {
    include: ['test/matrix/**/*.matrix.ts'],
    setupFiles: ['reflect-metadata'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
