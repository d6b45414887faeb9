import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { connect } from 'node:net';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type RunningSample, start } from './running-sample.js';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('the sample app', () => {
  let cluster: EtcdTestCluster;
  let sample: RunningSample;

  beforeAll(async () => {
    cluster = await EtcdTestCluster.start();
    sample = await start({ ETCD_HOSTS: cluster.hosts.join(), ALLOWED_HOSTS: 'app.example' });
  });
  afterAll(async () => {
    sample[Symbol.dispose]();
    await cluster.stop();
  });

  /** `fetch` does not send another `Host`. */
  const send = (method: string, path: string, headers: Record<string, string>, body = ''): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request(`${sample.url}${path}`, { method, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.once('error', reject);
      sent.end(body);
    });

  it.each<[string, string, Record<string, string>, string, number]>([
    ['JSON', 'POST', JSON_TYPE, '{"total":1}', 201],
    ['JSON with a charset', 'POST', { 'content-type': 'application/json; charset=utf-8' }, '{"total":1}', 201],
    ['an allowed name', 'POST', { ...JSON_TYPE, host: 'app.example' }, '{}', 201],
    ['its own origin', 'POST', { ...JSON_TYPE, host: 'localhost:80', origin: 'http://localhost:80' }, '{}', 201],
    ['a foreign host', 'POST', { ...JSON_TYPE, host: 'rebound.example' }, '{}', 403],
    ['a foreign host that begins alike', 'POST', { ...JSON_TYPE, host: 'localhost.rebound.example' }, '{}', 403],
    ['a foreign host and origin', 'POST', { ...JSON_TYPE, host: 'a.example', origin: 'http://a.example' }, '{}', 403],
    ['a foreign origin', 'POST', { ...JSON_TYPE, origin: 'http://other.example' }, '{}', 403],
    ['no origin that is known', 'POST', { ...JSON_TYPE, origin: 'null' }, '{}', 403],
    ['a form', 'POST', { 'content-type': 'application/x-www-form-urlencoded' }, 'total=1', 415],
    ['a form of plain text', 'POST', { 'content-type': 'text/plain' }, '{"total":1}', 415],
    ['an empty form', 'POST', { 'content-type': 'multipart/form-data' }, '', 415],
    ['no content type', 'POST', {}, '{"total":1}', 415],
  ])('answers a write with %s', async (_, method, headers, body, status) => {
    expect(await send(method, '/events/order-1', headers, body)).toBe(status);
  });

  it('lets no other name read the configuration', async () => {
    for (const path of ['/config', '/live', '/', '/metrics', '/events']) {
      expect([path, await send('GET', path, { host: 'rebound.example' })]).toEqual([path, 403]);
    }
    expect(await send('GET', '/config', { host: '[::1]:3000' })).toBe(200);
  });

  it('listens on the loopback address only', async () => {
    const others = Object.values(networkInterfaces()).flatMap((addresses = []) =>
      addresses.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address),
    );
    for (const address of others) {
      await expect(connected(address, Number(new URL(sample.url).port))).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
    }
  });

  it('prints the escape sequences of keys and values as text', async () => {
    const etcd = new Etcd3({ hosts: cluster.hosts });
    await etcd.put('/app/events/\u001b[2J\n\u202eevil').value('\u001b]0;title\u0007\u009b31m');
    etcd.close();

    await eventually(() => sample.output().includes('evil'));

    const line = sample
      .output()
      .split('\n')
      .find((text) => text.includes('evil'));
    expect(line).toMatch(
      /^event {3}\/app\/events\/\\u\{1b\}\[2J\\u\{a\}\\u\{202e\}evil put \\u\{1b\}\]0;title\\u\{7\}\\u\{9b\}31m \(revision/,
    );
  });
});

const connected = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
