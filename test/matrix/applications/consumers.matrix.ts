import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSUMER_FILES, CONSUMER_OUTPUT } from './consumer-app.js';
import { TWO_COPIES_FILES } from './two-copies.js';
import { ConsumerProject, nestDependencies } from '../../support/consumer-project.js';
import { NodeBinaries } from '../node-binaries.js';

const NODES = ['20', '22', '24'];

describe.each(['11', '12'])('an application on Nest %s', (nest) => {
  let etcd: EtcdTestCluster;
  let nodes: NodeBinaries;
  let project: ConsumerProject;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    nodes = await NodeBinaries.install(NODES);
    project = await ConsumerProject.create(nestDependencies(nest));
    await project.write(CONSUMER_FILES);
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await nodes[Symbol.asyncDispose]();
    await etcd.stop();
  });

  it('calls a handler once that a second copy of the package decorates, and names the copies', async () => {
    await project.write(TWO_COPIES_FILES);
    await project.run('mkdir', ['node_modules/orders/node_modules']);
    await project.run('cp', ['-r', 'node_modules/nestjs-etcd-trigger', 'node_modules/orders/node_modules']);
    const env = { ETCD_HOSTS: etcd.hosts.join() };
    const output = await project.run('sh', ['-c', 'node two-copies.mjs 2>&1'], env);

    expect(output.trim().split('\n')).toEqual([
      expect.stringMatching(/^Warning: two copies of nestjs-etcd-trigger are in use/),
      '/orders/1',
    ]);
  });

  describe.each(NODES)('with Node %s', (node) => {
    it.each([
      ['an ES module', 'express', 'app.mjs'],
      ['an ES module', 'fastify', 'app.mjs'],
      ['a CommonJS module', 'express', 'app.cjs'],
      ['a CommonJS module', 'fastify', 'app.cjs'],
    ])('works as %s on %s', async (_, platform, file) => {
      const env = { ETCD_HOSTS: etcd.hosts.join(), PLATFORM: platform };
      const output = await project.run(nodes.of(node), [file], env);

      expect(output.trim().split('\n')).toEqual(CONSUMER_OUTPUT);
      expect(await project.run(nodes.of(node), ['--version'])).toMatch(`v${node}.`);
    });
  });
});
