import { IsInt } from 'class-validator';
import { ConnectionClosedError, UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Count {
  @IsInt() count!: number;
}

describe('calls that are under way when the module closes:', () => {
  const etcd = ownEtcd();

  it('writes that etcd answers soon succeed, and no further one is sent', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const app = await startApp({ hosts: proxy.endpoint, configs: [{ prefix: '/counts/', type: Count }] });
    proxy.delay(50);
    const written: string[] = [];
    const writing = ['a', 'b'].map(async (name) => {
      for (let count = 1; ; count += 1) {
        if (name === 'a') await app.watcher.put(`/k/${name}`, String(count));
        else await app.store.put(`/counts/${name}`, { count });
        written.push(`${name}${count}`);
      }
    });
    const outcomes = Promise.allSettled(writing);
    await eventually(() => written.includes('a2') && written.includes('b2'));
    await app[Symbol.asyncDispose]();

    for (const outcome of await outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(ConnectionClosedError);
    }
    const last = (name: string) => written.filter((each) => each.startsWith(name)).at(-1);
    expect(`a${await etcd.direct.get('/k/a').string()}`).toBe(last('a'));
    expect(await etcd.direct.get('/counts/b').json()).toEqual({ count: Number(last('b')?.slice(1)) });
  });

  it('a write that may have been applied causes an UnknownOutcomeError', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const app = await startApp({ hosts: proxy.endpoint });
    await app.watcher.put('/k', 'before');
    proxy.freeze('down');
    const outcome = app.watcher.put('/k', 'after').catch((error: unknown) => error);
    await eventually(async () => (await etcd.direct.get('/k').string()) === 'after');
    await app[Symbol.asyncDispose]();

    expect(await outcome).toBeInstanceOf(UnknownOutcomeError);
    expect(await outcome).toMatchObject({ key: '/k' });
  });

  it('a read causes a ConnectionClosedError', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const app = await startApp({ hosts: proxy.endpoint });
    await app.watcher.put('/k', 'x');
    proxy.freeze('down');
    const outcome = app.watcher.get('/k').catch((error: unknown) => error);
    await app[Symbol.asyncDispose]();

    expect(await outcome).toBeInstanceOf(ConnectionClosedError);
    expect(await outcome).toMatchObject({ key: '/k' });
  });

  it('calls that wait for a connection cause a ConnectionClosedError', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    proxy.freeze();
    const app = await startApp({ hosts: proxy.endpoint });
    const outcomes = [app.watcher.get('/k'), app.watcher.put('/k', 'v'), app.watcher.delete('/k')].map((call) =>
      call.catch((error: unknown) => error),
    );
    await eventually(() => proxy.accepted > 0);
    await app[Symbol.asyncDispose]();

    for (const outcome of await Promise.all(outcomes)) expect(outcome).toBeInstanceOf(ConnectionClosedError);
  });
});
