import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  BootError,
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
  InvalidOptionsError,
  KeyNotFoundError,
  WatchKey,
  WriteError,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('error handling:', () => {
  const etcd = ownEtcd();

  it('a closed port causes a ConnectionError for each request', async () => {
    await using app = await startApp({ hosts: 'http://127.0.0.1:1', requestTimeoutMs: 500 });

    for (const attempt of [
      () => app.watcher.get('/k'),
      () => app.watcher.put('/k', 'v'),
      () => app.watcher.delete('/k'),
    ]) {
      await expect(attempt()).rejects.toThrow(ConnectionError);
    }
    await expect(app.watcher.watch('/k', () => undefined)).rejects.toThrow(ConnectionTimeoutError);
  });

  it('a black hole causes a ConnectionTimeoutError within the limit, and nothing is left running', async () => {
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    proxy.freeze();
    await using app = await startApp({ hosts: proxy.endpoint, requestTimeoutMs: 800 });

    await expect(app.watcher.get('/k')).rejects.toThrow(ConnectionTimeoutError);
    await expect(app.watcher.put('/k', 'v')).rejects.toThrow(ConnectionTimeoutError);
    await expect(app.watcher.watch('/k', () => undefined)).rejects.toThrow(ConnectionTimeoutError);
    expect(await etcd.direct.get('/k').string()).toBeNull();
    proxy.stop();
  });

  it('a handler whose list cannot be read fails the startup, with Class.method in the message', async () => {
    class Handlers {
      @WatchKey('/k/')
      onEvent(): void {
        // Never called.
      }
    }
    const failed = (await startApp({ hosts: 'http://127.0.0.1:1' }, { providers: [Handlers] }).catch(
      (error: unknown) => error,
    )) as BootError;

    expect(failed).toBeInstanceOf(BootError);
    expect(failed.problems).toMatchObject([{ reason: 'unreachable', subject: 'Handlers.onEvent (prefix "/k/")' }]);
  });

  it('a handler of an unknown cluster or an invalid target fails the startup, with Class.method in the message', async () => {
    class Handlers {
      @WatchKey('/k/', { cluster: 'nowhere' })
      elsewhere(): void {
        // Never called.
      }
      @WatchKey('')
      everything(): void {
        // Never called.
      }
    }
    const failed = (await startApp({ hosts: etcd.hosts }, { providers: [Handlers] }).catch(
      (error: unknown) => error,
    )) as BootError;

    expect(failed.message).toMatch(/Handlers\.elsewhere: there is no cluster "nowhere"/);
    expect(failed.message).toMatch(/Handlers\.everything: .*\{ prefix: '' \}/);
  });

  it('a decorator on a member that can never be called throws immediately', () => {
    expect(() => {
      class Handlers {
        @WatchKey('/k/')
        static onEvent(): void {
          // Never called.
        }
      }
      return Handlers;
    }).toThrow(/@WatchKey on Handlers.onEvent can never run/);
    expect(() => {
      const decorate = WatchKey('/k/') as PropertyDecorator;
      decorate(class Handlers {}.prototype, 'property');
    }).toThrow(InvalidOptionsError);
  });

  it('an absent key causes a KeyNotFoundError with the key and the revision', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    const error = (await app.watcher.get('/unknown').catch((thrown: unknown) => thrown)) as KeyNotFoundError;

    expect(error).toBeInstanceOf(KeyNotFoundError);
    expect(error).toMatchObject({ code: 'ETCD_KEY_NOT_FOUND', key: '/unknown' });
    expect(error.revision).toBeGreaterThan(0);
  });

  it('a value above the limit of etcd causes a WriteError before it is sent', async () => {
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    await app.watcher.put('/small', 'x');
    const sent = proxy.bytesUp;

    await expect(app.watcher.put('/large', Buffer.alloc(2_000_000))).rejects.toThrow(WriteError);
    await expect(app.watcher.put('/large', Buffer.alloc(2_000_000))).rejects.toThrow(
      /1572864 \(limits.requestBytes\); nothing was sent/,
    );
    expect(proxy.bytesUp - sent).toBeLessThan(1_000);
    proxy.stop();
  });

  it('calls of a closed module cause a ConnectionClosedError', async () => {
    const app = await startApp({ hosts: etcd.hosts });
    await app[Symbol.asyncDispose]();

    for (const attempt of [
      () => app.watcher.get('/k'),
      () => app.watcher.put('/k', 'v'),
      () => app.watcher.watch('/k', () => undefined),
      () => app.store.waitForRevision(1),
    ]) {
      await expect(attempt()).rejects.toThrow(ConnectionClosedError);
    }
  });

  it('a watch that ends with the module settles with a ConnectionClosedError', async () => {
    const app = await startApp({ hosts: etcd.hosts });
    const subscription = await app.watcher.watch('/k/', () => undefined);
    await app[Symbol.asyncDispose]();

    expect(await subscription.closed).toBeInstanceOf(ConnectionClosedError);
    expect(subscription.status).toBe('closed');
  });

  it('a server that is not etcd causes a typed error within the limit', async () => {
    const server = await new Promise<Server>((resolve) => {
      const listening = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1', () => {
        resolve(listening);
      });
    });
    const { port } = server.address() as AddressInfo;
    await using app = await startApp({ hosts: `http://127.0.0.1:${port}`, requestTimeoutMs: 1_000 });

    await expect(app.watcher.get('/k')).rejects.toThrow(EtcdTriggerError);
    await expect(app.watcher.watch('/k/', () => undefined)).rejects.toThrow(ConnectionError);
    server.close();
  });

  it.each([
    ['no hosts', { client: { hosts: [] } }, /client.hosts must be "host:port" or a non-empty array/],
    ['no client', { client: undefined }, /client is missing/],
    ['an unknown policy', { boot: { policy: 'hope' } }, /"boot.policy" must be one of/],
    ['an invalid limit', { requestTimeoutMs: -1 }, /"requestTimeoutMs" must be a number of milliseconds/],
    [
      'a password without a user',
      { client: { hosts: 'a:1', auth: { password: 'x' } } },
      /client.auth must have a username and a password/,
    ],
    [
      'a module-wide order',
      { watchDefaults: { order: 'any' } },
      /"watchDefaults.order" must be one of 'key', 'target', 'none'/,
    ],
    ['invalid defaults', { watchDefaults: 7 }, /"watchDefaults" must be an object of delivery options/],
    ['a prefix that is not a string', { keyPrefix: 7 }, /"keyPrefix" must be a string/],
  ])('%s is reported in one sentence', async (_, options, sentence) => {
    const failed = startApp({ hosts: etcd.hosts, ...(options as object) });
    await expect(failed).rejects.toThrow(InvalidOptionsError);
    await expect(failed).rejects.toThrow(sentence);
  });
});
