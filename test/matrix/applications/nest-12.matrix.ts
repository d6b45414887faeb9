import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject } from '../../support/consumer-project.js';
import { ownEtcd } from '../../support/own-etcd.js';
import { expectToRunOnce, itRunsEverywhere, README_APPLICATION, README_PACKAGES } from './readme-application.js';
import { END_TO_END_TESTS, TEMPLATE_TESTS, UNIT_TESTS } from './template-tests.js';

describe('the application of `nest new` on Nest 12, with the files of the README', () => {
  const etcd = ownEtcd();
  let project: ConsumerProject;

  beforeAll(async () => {
    project = await ConsumerProject.fromTemplate('12', [
      ...README_PACKAGES,
      '@nestjs/config@^12',
      '@nestjs/microservices@^12',
      '@nestjs/terminus@^12',
      '@rspack/core@^2.1.10',
      '@swc/cli@^0.8',
      '@swc/core@^1',
      'ts-loader@^9.5.4',
      'tsconfig-paths-webpack-plugin@^4.2.0',
      'webpack-node-externals@^3.0.0',
    ]);
    await project.write({ ...README_APPLICATION, ...TEMPLATE_TESTS });
  });
  afterAll(() => project[Symbol.asyncDispose]());

  it.each(['nest build -b swc', 'nest build -b rspack', 'nest build'])('runs, built with %s', async (build) => {
    await project.run('rm', ['-rf', 'dist']);
    await project.run('npx', build.split(' '));

    await expectToRunOnce(project, etcd, 'http');
  });

  itRunsEverywhere(() => project, etcd);

  it('passes its tests in Vitest', async () => {
    await expectPassed([], UNIT_TESTS);
    await expectPassed(['--config', 'vitest.config.e2e.ts'], END_TO_END_TESTS);
  });

  async function expectPassed(args: readonly string[], numPassedTests: number): Promise<void> {
    const vitest = ['vitest', 'run', '--reporter=json', '--silent', ...args];
    const report = JSON.parse(await project.run('npx', vitest, { VITEST: undefined })) as Record<string, unknown>;

    expect(report).toMatchObject({ success: true, numPassedTests, numFailedTests: 0 });
  }
});
