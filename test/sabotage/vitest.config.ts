import { defineConfig, type Plugin } from 'vitest/config';
import base from '../../vitest.config.js';
import { FAKE_SABOTAGES } from './fake-sabotages.js';

/** Name of the sabotage that this process runs with; `undefined`: it is the one that goes through all of them. */
const NAME = process.env.FAKE_SABOTAGE;

const plugin: Plugin = {
  name: 'fake-sabotage',
  enforce: 'pre',
  transform(code, id) {
    const sabotage = FAKE_SABOTAGES.find(({ name }) => name === NAME);
    if (!sabotage || !id.endsWith(`/lib/testing/fake/${sabotage.file}`)) return undefined;
    if (!code.includes(sabotage.line)) this.error(`${sabotage.file} has no line ${sabotage.line}`);
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
    // A broken fake may keep a test waiting; that is refusal enough.
    testTimeout: NAME === undefined ? 120_000 : 4_000,
  },
});
