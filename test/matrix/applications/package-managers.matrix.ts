import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject, nestDependencies } from '../../support/consumer-project.js';
import { ownEtcd } from '../../support/own-etcd.js';
import { CONSUMER_FILES, CONSUMER_OUTPUT } from './consumer-app.js';

const YARN_4 = ['npx', '--yes', '@yarnpkg/cli-dist@4'];
const [, PNPM_SETTINGS = ''] =
  /^```yaml title="pnpm-workspace.yaml"\n([\s\S]*?)^```$/m.exec(readFileSync('docs/dependencies.md', 'utf8')) ?? [];

const MANAGERS = [
  {
    name: 'pnpm without hoisting',
    files: { 'pnpm-workspace.yaml': `hoist: false\nstrictPeerDependencies: true\n${PNPM_SETTINGS}` },
    install: ['npx', '--yes', 'pnpm@12', 'install'],
    run: ['node'],
    modules: ['app.mjs', 'app.cjs'],
  },
  {
    name: 'Yarn 1',
    files: {},
    install: ['npx', '--yes', 'yarn@1', 'install', '--non-interactive', '--ignore-engines'],
    run: ['node'],
    modules: ['app.mjs', 'app.cjs'],
  },
  {
    name: "Yarn 4 with Plug'n'Play",
    files: { 'yarn.lock': '', '.yarnrc.yml': 'nodeLinker: pnp\nenableImmutableInstalls: false\n' },
    install: [...YARN_4, 'install'],
    run: [...YARN_4, 'node'],
    // Plug'n'Play does not resolve the imports of an ES module that CommonJS requires, such as Nest 12.
    modules: ['app.mjs'],
  },
];

describe.each(MANAGERS)('an application that is installed with $name', ({ files, install, run, modules }) => {
  const etcd = ownEtcd();
  let project: ConsumerProject;

  beforeAll(async () => {
    project = await ConsumerProject.create(nestDependencies('12'), { files, install });
    await project.write(CONSUMER_FILES);
  });
  afterAll(() => project[Symbol.asyncDispose]());

  it.each(modules)('calls a handler once: %s', async (file) => {
    const [program = '', ...args] = run;
    const output = await project.run(program, [...args, file], { ETCD_HOSTS: etcd.hosts.join() });

    expect(output.trim().split('\n')).toEqual(CONSUMER_OUTPUT);
  });
});
