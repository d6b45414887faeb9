import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';
import { privateModules } from '../../support/private-modules.mjs';

/** Runs the fuzz test of the parser outside of vitest. */
const { module } = await runnerImport(fileURLToPath(new URL('main.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'error',
  plugins: [privateModules],
});
process.exitCode = await module.main(process.argv.slice(2));
