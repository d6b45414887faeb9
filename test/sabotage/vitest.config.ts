import { defineConfig, type Plugin } from 'vitest/config';
import base from '../../vitest.config.js';
import { FAKE_SABOTAGES } from './fake-sabotages.js';

/** Sabotage of this process. `undefined` in the process that runs all of them. */
const NAME = process.env.FAKE_SABOTAGE;

const plugin: Plugin = {
  name: 'fake-sabotage',
  enforce: 'pre',
  transform(code, id) {
    const sabotage = FAKE_SABOTAGES.find(({ name }) => name === NAME);
    if (!sabotage || !id.endsWith(`/lib/testing/fake/${sabotage.file}`)) return undefined;
    if (!code.includes(sabotage.line)) this.error(`${sabotage.file} does not contain ${sabotage.line}`);
    return code.replaceAll(sabotage.line, sabotage.broken);
  },
};

export default defineConfig({
  ...(base.resolve && { resolve: base.resolve }),
  plugins: [plugin],
  test: {
    include: [NAME === undefined ? 'test/sabotage/*.sabotage.ts' : 'test/testing/contract/fake.spec.ts'],
    maxConcurrency: 2,
    setupFiles: ['reflect-metadata'],
    // A test that hangs on a sabotaged fake counts as a failure.
    testTimeout: NAME === undefined ? 120_000 : 4_000,
  },
});
