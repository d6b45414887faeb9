import { IsInt, IsString, registerDecorator } from 'class-validator';
import { BootError, type ConfigDefinition } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { APP, startSecured } from '../support/secured-cluster.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Database {
  @IsString() host!: string;
}
class Limit {
  @IsInt() count!: number;
}

const CONFIGS: ConfigDefinition[] = [
  { key: '/db', type: Database, required: true },
  { key: '/optional', type: Limit },
];
const DEGRADED = { configs: CONFIGS, boot: { policy: 'degraded' as const, timeoutMs: 500 } };

describe('a degraded start', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it.each(['refuses', 'is silent'])('catches up by itself when etcd, which %s, comes back', async (fault) => {
    await put('/db', '{"host":"a"}');
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    if (fault === 'refuses') proxy.refuse();
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
  });

  it('catches up by itself when it is allowed to read', async () => {
    await using secured = await startSecured();
    await secured.admin.put('/db').value('{"host":"a"}');
    const { hosts } = secured.etcd;
    await using app = await startApp({ hosts, client: { hosts, auth: APP }, ...DEGRADED });
    expect(app.store.status).toBe('degraded');

    await secured.admin.role('app').grant({ permission: 'Read', range: secured.admin.range({ prefix: '' }) });
    await eventually(() => app.store.status === 'ready', { withinMs: 40_000 });

    expect(app.store.get('/db', Database)).toEqual({ host: 'a' });
  });

  it('is ready when everything that was missing or invalid is there, not before', async () => {
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

describe('validators that take their time', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('end a start at its limit when they do not answer, and hold back what they have not passed', async () => {
    await put('/slow', '{"count":1}');
    const waiting: (() => void)[] = [];
    let isOpen = false;
    class Slow {
      @AnswersWhen(() => (isOpen ? undefined : new Promise((resolve) => waiting.push(resolve))))
      count!: number;
    }
    const configs = [{ key: '/slow', type: Slow, required: true }];
    const late = startApp({ hosts: etcd.hosts, configs, boot: { timeoutMs: 2_000 } });

    await expect(late).rejects.toThrow(BootError);
    await expect(late).rejects.toThrow(/the validators of Slow did not finish within 2000 ms/);

    isOpen = true;
    await using app = await startApp({ hosts: etcd.hosts, configs });
    isOpen = false;
    const before = waiting.length;
    const revision = await put('/slow', '{"count":2}');
    await eventually(() => waiting.length > before);
    const passed = app.store.waitForRevision(revision, { timeoutMs: 300 });
    await expect(passed).rejects.toThrow(/not visible after 300 ms/);
    for (const answer of waiting) answer();
    await app.store.waitForRevision(revision);

    expect(app.store.get('/slow', Slow)).toEqual({ count: 2 });
  });
});

/** Valid, as soon as it is allowed to say so. */
function AnswersWhen(allowed: () => Promise<void> | undefined): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'answersWhen',
      target: target.constructor,
      propertyName: String(propertyName),
      async: true,
      validator: { validate: async () => (await allowed(), true) },
    });
  };
}
