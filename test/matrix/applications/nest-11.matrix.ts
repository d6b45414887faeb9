import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject } from '../../support/consumer-project.js';
import { ownEtcd } from '../../support/own-etcd.js';
import { NodeBinaries } from '../node-binaries.js';
import { expectToRunOnce, itRunsEverywhere, README_APPLICATION, README_PACKAGES } from './readme-application.js';
import { END_TO_END_TESTS, TEMPLATE_TESTS, UNIT_TESTS } from './template-tests.js';

const JEST = 'node_modules/jest/bin/jest.js';

describe('the application of `nest new` on Nest 11, with the files of the README', () => {
  const etcd = ownEtcd();
  let nodes: NodeBinaries;
  let project: ConsumerProject;

  beforeAll(async () => {
    nodes = await NodeBinaries.install(['20', '22', '24']);
    project = await ConsumerProject.fromTemplate('11', [
      ...README_PACKAGES,
      '@nestjs/config@^12',
      '@nestjs/microservices@^11',
      '@nestjs/terminus@^12',
      '@swc/cli@^0.8',
      '@swc/core@^1',
      ...packagesIn('docs/testing.md', /^npm install -D (@swc.*)$/m),
    ]);
    await project.write({ ...README_APPLICATION, ...TEMPLATE_TESTS });
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await nodes[Symbol.asyncDispose]();
  });

  it.each(['nest build -b swc', 'nest build --webpack', 'nest build'])('runs, built with %s', async (build) => {
    await project.write({ 'webpack.config.js': blockOf('docs/bundling.md', 'js', 'webpack.config.js') });
    await project.run('rm', ['-rf', 'dist']);
    await project.run('npx', build.split(' '));

    await expectToRunOnce(project, etcd, 'http');
  });

  itRunsEverywhere(() => project, etcd);

  describe('in Jest', () => {
    beforeAll(async () => {
      await project.edit(
        'package.json',
        JSON.parse(blockOf('docs/testing.md', 'json', 'package.json')) as Record<string, unknown>,
      );
      await project.write({ 'test/jest-e2e.json': blockOf('docs/testing.md', 'json', 'test/jest-e2e.json') });
    });

    it.each(['20', '22', '24'])('passes its tests with the configuration of the guide, on Node %s', async (node) => {
      await expectPassed(nodes.of(node), [JEST], UNIT_TESTS);
      await expectPassed(nodes.of(node), [JEST, '--config', 'test/jest-e2e.json'], END_TO_END_TESTS);
    });

    it('passes them without transforming packages, on Node 24', async () => {
      const own = { moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' }, transform: { '^.+\\.ts$': 'ts-jest' } };
      await project.write({ 'plain.json': JSON.stringify({ testRegex: 'spec\\.ts$', ...own }) });

      const args = ['--experimental-vm-modules', JEST, '--config', 'plain.json'];
      await expectPassed(nodes.of('24'), args, UNIT_TESTS + END_TO_END_TESTS);
    });
  });

  async function expectPassed(node: string, args: readonly string[], numPassedTests: number): Promise<void> {
    const report = JSON.parse(await project.run(node, [...args, '--json', '--silent'])) as Record<string, unknown>;

    expect(report).toMatchObject({ success: true, numPassedTests, numFailedTests: 0 });
  }
});

const packagesIn = (document: string, command: RegExp): string[] =>
  command.exec(readFileSync(document, 'utf8'))?.[1]?.split(' ') ?? [];

/** Returns the code block of a guide that has this title. */
function blockOf(document: string, language: string, title: string): string {
  const [, after = ''] = readFileSync(document, 'utf8').split(`\`\`\`${language} title="${title}"\n`);
  return after.split('```')[0] ?? '';
}
