import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { request } from 'node:https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EtcdTestCluster, type EtcdTestClusterOptions } from '../../../lib/testing/index.js';
import { createCertificates, type CertificateFiles } from '../../support/certificates.js';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { put, read } from '../../support/gateway.js';
import { testFolder } from '../../support/test-folder.js';

async function startCluster(options?: EtcdTestClusterOptions): Promise<EtcdTestCluster> {
  const cluster = await EtcdTestCluster.start(options);
  onTestFinished(() => cluster.stop());
  return cluster;
}

async function healthOf(endpoint: string, ca: string, client?: CertificateFiles): Promise<string> {
  const files = client && { cert: await readFile(client.cert), key: await readFile(client.key) };
  const sent = request(`${endpoint}/health`, { agent: false, ca: await readFile(ca), ...files }).end();
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
  let body = '';
  for await (const chunk of response) body += chunk.toString();
  return body;
}

describe.each(['3.4', '3.5'])('a cluster of three etcd %s', (version) => {
  it('has one leader, elects another when it is killed, and accepts it back', async () => {
    const cluster = await startCluster({ size: 3, version });
    const [a = '', b = ''] = cluster.endpoints;
    await put(a, 'a', '1');
    expect(await read(b, 'a')).toBe('1');
    expect(cluster.version.startsWith(version)).toBe(true);
    expect(new Set(cluster.hosts).size).toBe(3);

    const first = await cluster.leader();
    await first.kill();
    const second = await cluster.leader();
    expect(second).not.toBe(first);
    await eventually(() => put(second.endpoint, 'a', '2'));
    await first.start();

    expect(await read(first.endpoint, 'a')).toBe('2');
  });

  it('is empty at the same endpoints after a wipe', async () => {
    const cluster = await startCluster({ size: 3, version });
    const { endpoints } = cluster;
    await put(endpoints[0] ?? '', 'a', '1');

    await cluster.wipe();

    expect(cluster.endpoints).toEqual(endpoints);
    expect(await read(endpoints[1] ?? '', 'a')).toBeUndefined();
  });

  it('serves clients over TLS, and requires their certificate if configured', async () => {
    const { ca, server, client, expired, stranger } = await createCertificates(await testFolder());
    const open = await startCluster({ version, tls: { ca, ...server } });
    const closed = await startCluster({ version, tls: { ca, ...server, clientAuth: true } });

    expect(open.endpoints[0]).toMatch(/^https:/);
    expect(await healthOf(open.first.endpoint, ca)).toContain('true');
    expect(await healthOf(closed.first.endpoint, ca, client)).toContain('true');
    for (const refused of [undefined, expired, stranger]) {
      await expect(healthOf(closed.first.endpoint, ca, refused)).rejects.toThrow();
    }
    expect(await closed.leader()).toBe(closed.first);
  });
});

describe('a test cluster', () => {
  it('can run with proxies between its members', async () => {
    const proxies: TcpProxy[] = [];
    onTestFinished(() => {
      for (const proxy of proxies) proxy.stop();
    });
    const cluster = await startCluster({
      size: 3,
      peerUrls: async (index, listenUrl) => {
        // Called again if the cluster starts over with other ports.
        proxies[index]?.stop();
        const proxy = await TcpProxy.start(Number(new URL(listenUrl).port));
        proxies[index] = proxy;
        return proxy.endpoint;
      },
    });

    await put(cluster.first.endpoint, 'a', '1');

    expect(proxies.map(({ bytesUp }) => bytesUp > 0)).toEqual([true, true, true]);
  });

  it('stops when its scope ends', async () => {
    let pid: number | undefined;
    {
      await using cluster = await EtcdTestCluster.start();
      pid = cluster.first.pid;
      expect(pid).toBeDefined();
    }

    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
  });

  it('chooses other ports if one was taken in the meantime', async () => {
    const taken = createServer();
    onTestFinished(() => {
      taken.close();
    });
    const requestedUrls: string[] = [];

    const cluster = await startCluster({
      peerUrls: async (_, listenUrl) => {
        if (requestedUrls.length === 0)
          await once(taken.listen(Number(new URL(listenUrl).port), '127.0.0.1'), 'listening');
        requestedUrls.push(listenUrl);
        return listenUrl;
      },
    });

    expect(new Set(requestedUrls).size).toBeGreaterThan(1);
    expect(cluster.first.running).toBe(true);
  });

  it.each([0, -1, 1.5])('rejects a size of %s', async (size) => {
    await expect(EtcdTestCluster.start({ size })).rejects.toThrow(`size is ${size}, but must be 1 or more`);
  });

  it('passes additional flags and variables to etcd, but not the ETCD_ variables of this process', async () => {
    process.env.ETCD_NAME = 'from this process';
    onTestFinished(() => {
      delete process.env.ETCD_NAME;
    });

    const { first } = await startCluster({
      args: ['--max-txn-ops=7'],
      env: { ETCD_MAX_REQUEST_BYTES: '1048576' },
    });

    const log = await first.log(1_000);
    expect(log).toContain('ETCD_MAX_REQUEST_BYTES');
    expect(log).not.toContain('from this process');
  });
});
