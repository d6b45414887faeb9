import { registerDecorator } from 'class-validator';
import { BootError, type ConfigDefinition } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { Database, Limit } from '../support/configs.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { APP, startSecured } from '../support/secured-cluster.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const CONFIGS: ConfigDefinition[] = [
  { key: '/db', type: Database, required: true },
  { key: '/optional', type: Limit },
];
const DEGRADED = { configs: CONFIGS, boot: { policy: 'degraded' as const, timeoutMs: 500 } };

describe('a start with the policy wait', () => {
  const etcd = ownEtcd();

  it('reads the configuration again and again until etcd answers', async () => {
    await etcd.put('/db', '{"host":"a"}');
    const [noPort = 0] = await freePorts(1);
    using proxy = await TcpProxy.start(noPort);
    const starting = startApp({ hosts: proxy.endpoint, configs: CONFIGS, boot: { policy: 'wait', timeoutMs: 30_000 } });
    await eventually(() => proxy.accepted >= 4);
    proxy.retarget(etcd.first.clientPort);
    await using app = await starting;
    expect(app.store.get('/db', Database)).toEqual({ host: 'a' });
  });
});

describe('a degraded start', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it.each(['refuses connections', 'is silent'])(
    'becomes ready without a restart after etcd, which %s, has recovered',
    async (fault) => {
      await put('/db', '{"host":"a"}');
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      if (fault === 'refuses connections') proxy.refuse();
      else proxy.freeze();
      await using app = await startApp({ hosts: proxy.endpoint, ...DEGRADED });
      const changes: string[] = [];
      app.store.onChange('', ({ key, origin }) => changes.push(`${origin} ${key}`));
      expect([app.store.status, app.store.get('/db', Database)]).toEqual(['degraded', undefined]);

      await proxy.accept();
      proxy.thaw();
      await eventually(() => app.store.status === 'ready', { withinMs: 30_000 });

      expect(app.store.get('/db', Database)).toEqual({ host: 'a' });
      expect(changes).toEqual(['initial /db']);
    },
  );

  it('becomes ready without a restart after it is permitted to read', async () => {
    await using secured = await startSecured();
    await secured.admin.put('/db').value('{"host":"a"}');
    const { hosts } = secured.etcd;
    await using app = await startApp({ hosts, client: { hosts, auth: APP }, ...DEGRADED });
    expect(app.store.status).toBe('degraded');

    await secured.admin.role('app').grant({ permission: 'Read', range: secured.admin.range({ prefix: '' }) });
    await eventually(() => app.store.status === 'ready', { withinMs: 40_000 });

    expect(app.store.get('/db', Database)).toEqual({ host: 'a' });
  });

  it('becomes ready only when every missing or invalid value is valid', async () => {
    await put('/optional', '{"count":"x"}');
    await using app = await startApp({ hosts: etcd.hosts, ...DEGRADED });
    const write = async (key: string, value: string): Promise<string> => {
      await app.store.waitForRevision(await put(key, value));
      return app.store.status;
    };

    expect(app.store.status).toBe('degraded');
    expect(await write('/db', '{"host":"a"}')).toBe('degraded');
    expect(await write('/optional', '{"count":false}')).toBe('degraded');
    expect(await write('/optional', '{"count":1}')).toBe('ready');
    expect(await write('/optional', '{"count":"x"}')).toBe('ready');
    expect(app.store.get('/optional', Limit)).toEqual({ count: 1 });
  });
});

describe('slow validators', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('fail a start at its time limit, and delay values until they have passed', async () => {
    await put('/slow', '{"count":1}');
    const pending: (() => void)[] = [];
    let isOpen = false;
    class Slow {
      @PassesAfter(() => (isOpen ? undefined : new Promise((resolve) => pending.push(resolve))))
      count!: number;
    }
    const configs = [{ key: '/slow', type: Slow, required: true }];
    const start = startApp({ hosts: etcd.hosts, configs, boot: { timeoutMs: 2_000 } });

    await expect(start).rejects.toThrow(BootError);
    await expect(start).rejects.toThrow(/the validators or the codec of Slow did not finish within 2000 ms/);

    isOpen = true;
    await using app = await startApp({ hosts: etcd.hosts, configs });
    isOpen = false;
    const before = pending.length;
    const revision = await put('/slow', '{"count":2}');
    await eventually(() => pending.length > before);
    const visible = app.store.waitForRevision(revision, { timeoutMs: 300 });
    await expect(visible).rejects.toThrow(/not visible after 300 ms/);
    for (const answer of pending) answer();
    await app.store.waitForRevision(revision);

    expect(app.store.get('/slow', Slow)).toEqual({ count: 2 });
  });
});

/** An asynchronous validator that passes when the promise of the gate resolves. */
function PassesAfter(gate: () => Promise<void> | undefined): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'passesAfter',
      target: target.constructor,
      propertyName: String(propertyName),
      async: true,
      validator: { validate: async () => (await gate(), true) },
    });
  };
}
