import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snippetsOf } from '../readme/snippets.js';
import { ConsumerProject, nestDependencies } from '../support/consumer-project.js';
import { NodeBinaries } from './node-binaries.js';

const GUIDE = 'docs/testing.md';

/** The tsconfig that `nest new` of Nest 11 creates. */
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    resolvePackageJsonExports: true,
    esModuleInterop: true,
    isolatedModules: true,
    emitDecoratorMetadata: true,
    experimentalDecorators: true,
    target: 'ES2023',
    skipLibCheck: true,
    strictNullChecks: true,
  },
};

const DEVELOPMENT = {
  '@swc/core': '^1',
  '@swc/jest': '^0.2',
  '@types/jest': '^30',
  jest: '^30',
  'ts-jest': '^29',
  typescript: '^5.9',
};

describe('an application on Nest 11 whose own tests run in Jest', () => {
  let nodes: NodeBinaries;
  let project: ConsumerProject;

  beforeAll(async () => {
    nodes = await NodeBinaries.install(['20', '22', '24']);
    project = await ConsumerProject.create({ ...nestDependencies('11'), ...DEVELOPMENT });
    const snippets = snippetsOf(GUIDE);
    const files = ['limit.config.ts', 'order.service.ts', 'order.service.test.ts', 'app.module.ts', 'app.test.ts'];
    for (const file of files) await project.write({ [file]: withGlobals(snippets.get(file) ?? '') });
    await project.write({
      'tsconfig.json': JSON.stringify(TSCONFIG),
      'jest.config.json': configIn(GUIDE),
      'plain.json': JSON.stringify({
        testRegex: '\\.test\\.ts$',
        moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
        transform: { '^.+\\.ts$': 'ts-jest' },
      }),
    });
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await nodes[Symbol.asyncDispose]();
  });

  it.each(['20', '22', '24'])('runs the tests of the guide with its configuration, on Node %s', async (node) => {
    await expectPassed(nodes.of(node), ['node_modules/jest/bin/jest.js', '--config', 'jest.config.json']);
  });

  it('runs them without a configuration on Node 24', async () => {
    const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--config', 'plain.json'];
    await expectPassed(nodes.of('24'), args);
  });

  async function expectPassed(node: string, args: readonly string[]): Promise<void> {
    const report = JSON.parse(await project.run(node, [...args, '--json', '--silent'])) as Record<string, unknown>;

    expect(report).toMatchObject({ success: true, numPassedTests: 4, numFailedTests: 0 });
  }
});

/** Removes the import from vitest, because Jest provides globals. */
const withGlobals = (code: string): string => code.replace(/^import .* from 'vitest';\n/m, '');

const configIn = (document: string): string =>
  /^```json title="jest\.config\.json"\n([\s\S]*?)^```$/m.exec(readFileSync(document, 'utf8'))?.[1] ?? '';
