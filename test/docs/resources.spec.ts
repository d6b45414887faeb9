import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Live } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

const GUIDE = 'docs/resources.md';
const FOLDER = resolve('test/docs/.snippets/resources');

interface Orders {
  find(id: string): Promise<string>;
}

/** A server that answers with its name, after a moment. */
async function serve(name: string): Promise<Server> {
  const server = createServer((request, response) => {
    setTimeout(() => response.end(`${name} ${request.url ?? ''}`), 2);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const connectionsOf = (server: Server): Promise<number> =>
  new Promise((found, failed) => {
    server.getConnections((error, count) => {
      if (error) failed(error);
      else found(count);
    });
  });

describe('docs/resources.md', () => {
  let servers: Server[];

  beforeAll(async () => {
    expect(namelessSnippetsIn(GUIDE)).toBe(0);
    expect(compileSnippets(snippetsOf(GUIDE), FOLDER)).toEqual([]);
    servers = await Promise.all(['one', 'two'].map(serve));
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const load = async <T>(name: string): Promise<T> =>
    ((await import(join(FOLDER, 'app.module.js'))) as Record<string, T>)[name] as T;
  const start = async (etcd: FakeCluster): Promise<INestApplication> => {
    const builder = Test.createTestingModule({ imports: [await load<Type>('AppModule')] }).setLogger(quiet);
    const module = await etcd.replaceIn(builder).compile();
    return module.createNestApplication({ logger: false }).init();
  };

  it('replaces a pool under load: no request fails, and nothing is left open', async () => {
    const ports = servers.map(portOf);
    const configOf = (index: number) => ({ host: '127.0.0.1', port: ports[index % 2], poolSize: 4 + (index % 3) });
    const etcd = new FakeCluster({ '/shop/backend': configOf(0) });
    const app = await start(etcd);
    const orders = app.get<Orders>(await load<Type<Orders>>('Orders'));
    const live = app.get<Live<object>>(await load('BACKEND'));
    const metrics = app.get<{ created: string[] }>(await load<Type>('Metrics'));

    const answers = new Map<string, number>();
    let isLoaded = true;
    const clients = Array.from({ length: 16 }, async (_, client) => {
      for (let request = 0; isLoaded; request += 1) {
        const answer = await orders.find(`${client}-${request}`);
        expect(answer).toMatch(new RegExp(`^(one|two) /orders/${client}-${request}$`));
        const server = answer.slice(0, 3);
        answers.set(server, (answers.get(server) ?? 0) + 1);
      }
    });
    for (let round = 1; round <= 12; round += 1) {
      const before = metrics.created.length;
      // Every fourth configuration leads nowhere, and every third is followed by another one at once.
      if (round % 4 === 0) {
        etcd.put('/shop/backend', { ...configOf(round), port: 1 });
        await eventually(() => live.state === 'kept');
      }
      if (round % 3 === 0) etcd.put('/shop/backend', configOf(round + 1));
      etcd.put('/shop/backend', configOf(round));
      await eventually(() => metrics.created.length > before && live.state === 'current');
    }
    isLoaded = false;
    await Promise.all(clients);
    expect([...answers.keys()].sort()).toEqual(['one', 'two']);

    await app.close();
    for (const server of servers) await eventually(async () => (await connectionsOf(server)) === 0);
  });

  it('closes a pool that cannot connect, and stops the start', async () => {
    const etcd = new FakeCluster({ '/shop/backend': { host: '127.0.0.1', port: 1, poolSize: 1 } });

    await expect(start(etcd)).rejects.toThrow(
      /^the application cannot start: BACKEND: create failed: Error at .*\(ECONNREFUSED\)$/,
    );
  });
});
