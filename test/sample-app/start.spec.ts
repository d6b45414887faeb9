import { once } from 'node:events';
import { createServer } from 'node:net';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { freePort, run, start } from './running-sample.js';

const send = (url: string, method: string, body: object): Promise<Response> =>
  fetch(url, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

describe('the sample app', () => {
  it('runs its example on an etcd that it starts, and stops that etcd when it ends', async () => {
    using sample = await start({ ETCD_HOSTS: '' });
    const { child, url, output, ended } = sample;
    await eventually(() => output().includes('without a restart') && output().includes('put the first event'));

    expect(output()).toContain(`curl -X PUT ${url.replace('127.0.0.1', 'localhost')}/config/redis`);
    expect(output()).toMatch(/event +\/app\/events\/hello put the first event/);

    const config = (await (await fetch(`${url}/config`)).json()) as Record<string, unknown>;
    expect(config).toMatchObject({
      status: 'ready',
      connectsTo: 'postgres://app@db-1:5432',
      database: { value: { host: 'db-1', password: '***' }, state: 'valid' },
    });

    const rejected = await send(`${url}/config/redis`, 'PUT', { host: 'cache-2', port: 'none' });
    expect(rejected.status).toBe(400);
    expect(await rejected.json()).toMatchObject({ violations: [{ path: 'port' }] });

    const written = await send(`${url}/config/redis`, 'PUT', { host: 'cache-2', port: 6_380 });
    expect(await written.json()).toMatchObject({ visible: true });
    await send(`${url}/events/order-1`, 'POST', { total: 3 });
    await eventually(async () => (await (await fetch(`${url}/events`)).text()).includes('/app/events/order-1'));

    const etcd = /is running at (http:\S+) and/.exec(output())?.[1] ?? '';
    expect((await fetch(`${etcd}/version`)).ok).toBe(true);
    child.kill('SIGINT');
    await ended;
    await eventually(() =>
      fetch(`${etcd}/version`).then(
        () => false,
        () => true,
      ),
    );
  });

  it('stops and restarts the etcd that it started on request, and keeps the data', async () => {
    using sample = await start({ ETCD_HOSTS: '' });
    const { url, output } = sample;
    await eventually(() => output().includes('without a restart'));
    const status = async () => ((await (await fetch(`${url}/config`)).json()) as { status: string }).status;
    await send(`${url}/config/redis`, 'PUT', { host: 'kept', port: 1 });
    expect(output()).toContain(`curl -X DELETE ${url.replace('127.0.0.1', 'localhost')}/etcd`);

    expect(await (await fetch(`${url}/etcd`, { method: 'DELETE' })).text()).toBe('etcd is stopped\n');
    await eventually(async () => (await status()) === 'stale');
    expect((await send(`${url}/config/redis`, 'PUT', { host: 'lost', port: 1 })).status).toBe(503);

    expect(await (await fetch(`${url}/etcd`, { method: 'PUT' })).text()).toBe('etcd is running\n');
    await eventually(async () => (await status()) === 'ready');
    expect(await (await fetch(`${url}/config`)).json()).toMatchObject({ redis: { value: { host: 'kept' } } });
    expect((await fetch(`${url}/etcd`, { method: 'POST' })).status).toBe(405);
  });

  it('uses the cluster of ETCD_HOSTS and keeps its existing keys', async () => {
    await using cluster = await EtcdTestCluster.start();
    const client = new Etcd3({ hosts: cluster.hosts });
    await client.put('/app/config/redis').value(JSON.stringify({ host: 'mine', port: 1 }));
    using sample = await start({ ETCD_HOSTS: cluster.hosts.join() });
    const { child, url, ended } = sample;

    expect(await (await fetch(`${url}/config`)).json()).toMatchObject({ redis: { value: { host: 'mine', port: 1 } } });
    expect((await fetch(`${url}/etcd`, { method: 'DELETE' })).status).toBe(404);
    child.kill('SIGTERM');
    await ended;
    expect(await client.get('/app/config/redis').json()).toEqual({ host: 'mine', port: 1 });
    client.close();
  });

  it('reports in one sentence that its port is in use', async () => {
    await using cluster = await EtcdTestCluster.start();
    const port = await freePort();
    const taken = createServer().listen(port);
    await once(taken, 'listening');
    using sample = run({ PORT: String(port), ETCD_HOSTS: cluster.hosts.join() });

    expect(await sample.ended).toBe(1);
    expect(sample.output()).toContain(
      `port ${port} is already in use: choose another one with PORT=${port + 1} npm start`,
    );
    taken.close();
  });

  it('reports in one sentence that its cluster cannot be reached', async () => {
    using sample = run({ PORT: String(await freePort()), ETCD_HOSTS: 'http://127.0.0.1:1' });

    expect(await sample.ended).toBe(1);
    expect(sample.output().trim().split('\n').length).toBe(1);
    expect(sample.output()).toMatch(
      /^error +etcd at http:..127.0.0.1:1 does not respond: start it, or unset ETCD_HOSTS to let the app start its own$/m,
    );
  });
});
