import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';
import { privateModules } from '../../support/private-modules.mjs';

/**
 * `run.mjs soak|sabotage|short-run ...` runs the laboratory outside of vitest. With `--sabotage NUMBER`, the lines
 * of this sabotage are replaced.
 */
const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const alias = [
  { find: /^nestjs-etcd-trigger$/, replacement: at('../../../lib/index.ts') },
  { find: /^nestjs-etcd-trigger\/testing$/, replacement: at('../../../lib/testing/index.ts') },
];
const options = { configFile: false, logLevel: 'error', resolve: { alias } };

const [program = 'soak', ...args] = process.argv.slice(2);
const number = args.includes('--sabotage') ? Number(args[args.indexOf('--sabotage') + 1]) : undefined;
const plugins = number === undefined ? [privateModules] : [await sabotagePlugin(number), privateModules];
const { module } = await runnerImport(at(`./${program}.ts`), { ...options, plugins });
// A sabotaged library may keep the process alive.
process.exit(await module.main(args));

/** Replaces the lines while lib is loaded. The files are not changed. */
async function sabotagePlugin(index) {
  const { module } = await runnerImport(at('./sabotages.ts'), options);
  const replacements = new Map();
  for (const { file, line, instead } of module.replacementsOf(module.SABOTAGES[index])) {
    const path = at(`../../../lib/${file}`);
    if (readFileSync(path, 'utf8').split(line).length !== 2)
      throw new Error(`lib/${file} does not contain this line exactly once: ${line}`);
    replacements.set(path, (code) => code.replace(line, () => instead));
  }
  return { name: 'sabotage', enforce: 'pre', transform: (code, id) => replacements.get(id)?.(code) };
}
