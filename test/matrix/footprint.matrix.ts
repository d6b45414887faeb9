import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spreadOf } from '../../bench/measure.js';
import { ConsumerProject } from '../support/consumer-project.js';

const ROUNDS = 15;
const OURS = 'nestjs-etcd-trigger';

/** Each package with what it needs beside Nest. The tarball is added to the first one only. */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [OURS]: { 'class-transformer': '^0.5.1', 'class-validator': '^0.15.1' },
  bullmq: { bullmq: '*', ioredis: '^5' },
  '@golevelup/nestjs-rabbitmq': { '@golevelup/nestjs-rabbitmq': '^9' },
};
const NEST = {
  '@nestjs/common': '^11',
  '@nestjs/core': '^11',
  '@nestjs/platform-express': '^11',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.2',
};

const IMPORT = `
import 'reflect-metadata';
import '@nestjs/core';
const start = performance.now();
await import(process.argv[2]);
console.log(performance.now() - start);
`;

describe('import time and install size beside peers', () => {
  const projects = new Map<string, ConsumerProject>();
  let nestMegabytes: number;

  beforeAll(async () => {
    for (const [name, packages] of [['nest', {}] as const, ...Object.entries(PACKAGES)]) {
      const project = await ConsumerProject.create({ ...NEST, ...packages }, { hasTarball: name === OURS });
      await project.write({ 'import.mjs': IMPORT });
      projects.set(name, project);
    }
    nestMegabytes = await megabytesOf('nest');
  });
  afterAll(async () => {
    for (const project of projects.values()) await project[Symbol.asyncDispose]();
  });

  it('are printed', async () => {
    const samples = new Map(Object.keys(PACKAGES).map((name) => [name, [] as number[]]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, times] of samples) times.push(await importTimeOf(name));
    }
    const ours = spreadOf(samples.get(OURS) ?? []).median;
    const size = (await megabytesOf(OURS)) - nestMegabytes;
    const rows = await Promise.all(
      Array.from(samples, async ([name, times]) => {
        const { median, min, max } = spreadOf(times);
        const megabytes = (await megabytesOf(name)) - nestMegabytes;
        return {
          package: `${name} ${await versionOf(name)}`,
          'import ms (min-max)': `${median.toFixed()} (${min.toFixed()}-${max.toFixed()})`,
          'ours / it, import': (ours / median).toFixed(2),
          'installed MB': megabytes.toFixed(1),
          'ours / it, size': (size / megabytes).toFixed(2),
        };
      }),
    );
    console.table(rows);

    expect(rows.map(({ package: name }) => name)).toHaveLength(3);
    expect(size).toBeGreaterThan(0);
  });

  const projectOf = (name: string): ConsumerProject => projects.get(name) ?? expect.fail(`no project ${name}`);
  const importTimeOf = async (name: string): Promise<number> =>
    Number(await projectOf(name).run('node', ['import.mjs', name]));
  const megabytesOf = async (name: string): Promise<number> =>
    Number.parseInt(await projectOf(name).run('du', ['-sb', 'node_modules'])) / 1e6;
  const versionOf = async (name: string): Promise<string> => {
    const manifest = await projectOf(name).run('cat', [`node_modules/${name}/package.json`]);
    return (JSON.parse(manifest) as { version: string }).version;
  };
});
