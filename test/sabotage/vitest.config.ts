import { defineConfig, type Plugin } from 'vitest/config';
import base from '../../vitest.config.js';
import { COORDINATION_SABOTAGES } from './coordination-sabotages.js';
import { FAKE_SABOTAGES } from './fake-sabotages.js';
import { GROUP_SABOTAGES } from './group-sabotages.js';

const SABOTAGES = [
  ...FAKE_SABOTAGES.map((sabotage) => ({ ...sabotage, file: `testing/fake/${sabotage.file}` })),
  ...COORDINATION_SABOTAGES,
  ...GROUP_SABOTAGES,
];

/** Sabotage of this process. `undefined` in the process that runs all of them. */
const NAME = process.env.SABOTAGE;

const plugin: Plugin = {
  name: 'sabotage',
  enforce: 'pre',
  transform(code, id) {
    const sabotage = SABOTAGES.find(({ name }) => name === NAME);
    if (!sabotage || !id.endsWith(`/lib/${sabotage.file}`)) return undefined;
    if (!code.includes(sabotage.line)) this.error(`${sabotage.file} does not contain ${sabotage.line}`);
    return code.replaceAll(sabotage.line, () => sabotage.broken);
  },
};

export default defineConfig({
  ...(base.resolve && { resolve: base.resolve }),
  plugins: [plugin],
  test: {
    include: [NAME === undefined ? 'test/sabotage/*.sabotage.ts' : 'test/**/*.spec.ts'],
    maxConcurrency: 2,
    setupFiles: ['reflect-metadata'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
});
