import { join, resolve } from 'node:path';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { type ConfigCodec, type ConfigDefinition, StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const GUIDE = 'docs/configuration.md';
const FOLDER = resolve('test/docs/configuration/.snippets');
const TITLES = [
  'database.config.ts',
  'app.module.ts',
  'flags.ts',
  'schemas.ts',
  'environment.module.ts',
  'reactions.ts',
  'refusals.ts',
  'tenants.ts',
  'credentials.ts',
  'invoice.ts',
  'formats.module.ts',
  'encrypted.module.ts',
  'payment.module.ts',
  'references.module.ts',
  'strict.ts',
  'exact.module.ts',
  'client.test.ts',
  'before.ts',
  'config-service.module.ts',
];

interface Database {
  readonly host: string;
  readonly port: number;
}

describe('docs/configuration.md', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  let proxy: TcpProxy;
  let opened: INestApplicationContext[] = [];

  beforeAll(async () => {
    proxy = await TcpProxy.start(etcd.first.clientPort);
    process.env.ETCD_HOSTS = proxy.endpoint;
    const snippets = snippetsOf(GUIDE);
    expect([...snippets.keys()]).toEqual(TITLES);
    expect(compileSnippets(snippets, FOLDER)).toEqual([]);
  });
  afterEach(async () => {
    for (const app of opened) await app.close();
    opened = [];
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
    proxy.stop();
  });

  const load = async <T>(file: string, name: string): Promise<T> => {
    const found = ((await import(join(FOLDER, file))) as Record<string, T>)[name];
    if (!found) throw new Error(`${file} exports no ${name}`);
    return found;
  };
  const loadClass = <T>(file: string, name: string): Promise<Type<T>> => load(file, name);
  const start = async (imports: Type<unknown>[], providers: Type<unknown>[] = []): Promise<INestApplicationContext> => {
    const module = await Test.createTestingModule({ imports, providers }).setLogger(quiet).compile();
    const app = await module.createNestApplication().init();
    opened.push(app);
    return app;
  };

  it('names the file of every snippet', () => {
    expect(namelessSnippetsIn(GUIDE)).toBe(0);
  });

  it('migrates an application from ConfigModule to etcd, where its configuration changes while it runs', async () => {
    const before = await start([await loadClass('before.js', 'AppModule')]);
    const oldClient = before.get<{ address: string }>(await loadClass('before.js', 'DatabaseClient'));
    const migrated = await start([await loadClass('app.module.js', 'AppModule')]);
    const client = migrated.get<{ address: string }>(await loadClass('app.module.js', 'DatabaseClient'));

    expect([oldClient.address, client.address]).toEqual(['localhost:5432', 'localhost:5432']);
    await put('/shop/database', '{"host":"db-1","port":6432}');
    await eventually(() => client.address === 'db-1:6432');
  });

  it('validates flags with a schema, in a reference and in a handler', async () => {
    await put('/flags/checkout', '{"enabled":true,"percent":20}');
    await put('/flags/bad', '{"enabled":"yes"}');
    const app = await start([await loadClass('flags.js', 'FlagsModule')]);
    const checkout = app.get<{ share: number; seen: string[]; close(): Promise<void> }>(
      await loadClass('flags.js', 'Checkout'),
    );

    expect(checkout.share).toBe(20);
    await checkout.close();
    expect(checkout.share).toBe(0);
    expect(await etcd.direct.get('/flags/checkout').string()).toBe('{"percent":20,"enabled":false}');
    await put('/flags/checkout', '{"enabled":true}');
    await eventually(() => checkout.share === 100);
    await eventually(() => checkout.seen.at(-1) === '/flags/checkout 100');
    expect(checkout.seen.filter((line) => line.includes('bad'))).toEqual([]);
  });

  it('provides the JSON Schema of a definition', async () => {
    const schemas = await loadClass<{ of(key: string): object | undefined }>('schemas.js', 'Schemas');
    const app = await start([await loadClass('app.module.js', 'AppModule')], [schemas]);

    expect(app.get(schemas).of('/shop/database')).toMatchObject({
      type: 'object',
      properties: { host: { type: 'string' }, port: { type: 'integer', minimum: 1, maximum: 65_535 } },
      required: ['host', 'port'],
    });
    expect(app.get(schemas).of('/other')).toBeUndefined();
  });

  it('reads and writes the keys of one environment', async () => {
    await put('/shop/staging/databases/orders', '{"host":"staging-1","port":5432}');
    await put('/shop/production/databases/orders', '{"host":"production-1","port":5432}');
    await put('/shop/production/databases/users', '{"host":"production-2","port":5432}');
    interface Databases {
      readonly names: string[];
      readonly ordersHost: string | undefined;
      moveOrders(host: string): Promise<void>;
    }
    const [module, type] = [
      await loadClass('environment.module.js', 'EnvironmentModule'),
      await loadClass<Databases>('environment.module.js', 'Databases'),
    ];
    const startIn = async (environment: string): Promise<Databases> => {
      process.env.ENVIRONMENT = environment;
      return (await start([module])).get(type);
    };
    const [staging, production] = [await startIn('staging'), await startIn('production')];
    delete process.env.ENVIRONMENT;

    expect([staging.names, production.names]).toEqual([['orders'], ['orders', 'users']]);
    expect([staging.ordersHost, production.ordersHost]).toEqual(['staging-1', 'production-1']);
    await staging.moveOrders('staging-2');
    expect([staging.ordersHost, production.ordersHost]).toEqual(['staging-2', 'production-1']);
    expect(await etcd.direct.get('/shop/staging/databases/orders').json()).toEqual({ host: 'staging-2', port: 5432 });
  });

  it('follows a part of a configuration and reports a burst of writes once', async () => {
    const reactions = await loadClass<{ seen: string[]; poolSize: { value: number } }>('reactions.js', 'Reactions');
    const app = await start([await loadClass('app.module.js', 'AppModule')], [reactions]);
    const { seen, poolSize } = app.get(reactions);
    // Both writes arrive together, however long they take.
    proxy.freeze('down');
    await put('/shop/database', '{"host":"a","port":1,"pool":{"size":10}}');
    await put('/shop/database', '{"host":"b","port":1,"pool":{"size":20}}');
    proxy.thaw('down');
    await eventually(() => seen.length === 4);

    expect(poolSize.value).toBe(20);
    expect(seen).toEqual([
      'pool of 10',
      'put /shop/database [] - -> localhost',
      'pool of 20',
      'put /shop/database [host,pool,port] localhost -> b',
    ]);
  });

  it('notices refused values and the status of the store', async () => {
    const alerts = await loadClass<{ open: Map<string, string>; statuses: string[] }>('refusals.js', 'Alerts');
    await put('/shop/database', '{"host":"a","port":1}');
    const app = await start([await loadClass('app.module.js', 'AppModule')], [alerts]);
    const { open, statuses } = app.get(alerts);
    await put('/shop/database', '{"host":"a","port":0}');
    await eventually(() => open.size === 1);

    expect([...open]).toEqual([['/shop/database', 'port: min']]);
    await put('/shop/database', '{"host":"a","port":2}');
    await eventually(() => open.size === 0);
    expect(statuses).toEqual(['ready']);
  });

  it('reads all keys at one revision while others are written', async () => {
    const tenants = await loadClass<{ report(write: (line: string) => Promise<void>): Promise<void> }>(
      'tenants.js',
      'Tenants',
    );
    const type = await loadClass<Database>('database.config.js', 'DatabaseConfig');
    await put('/tenants/a', '{"host":"a","port":1}');
    const revision = await put('/tenants/b', '{"host":"b","port":1}');
    const { EtcdTriggerModule } = await import('nestjs-etcd-trigger');
    const root = EtcdTriggerModule.forRoot({ client: { hosts: etcd.hosts }, configs: [{ prefix: '/tenants/', type }] });
    const module = await Test.createTestingModule({ imports: [root], providers: [tenants] })
      .setLogger(quiet)
      .compile();
    opened.push(await module.init());
    const lines: string[] = [];
    await module.get(tenants).report(async (line) => {
      lines.push(line);
      await module.get(StoreService).delete('/tenants/b');
    });

    expect(lines).toEqual([`at revision ${revision}`, '/tenants/a on a', '/tenants/b on b']);
  });

  it('shows keys together that one transaction changes, and pins what a function reads', async () => {
    const user = await loadClass<object>('credentials.js', 'User');
    const password = await loadClass<object>('credentials.js', 'Password');
    interface Credentials {
      readonly logins: string[];
      replace(name: string, text: string): Promise<void>;
    }
    const credentials = await loadClass<Credentials>('credentials.js', 'Credentials');
    const invoices = await loadClass<{ create(render: () => Promise<void>): Promise<string> }>(
      'invoice.js',
      'Invoices',
    );
    await put('/shop/user', '{"name":"a"}');
    await put('/shop/password', '{"text":"a"}');
    const { EtcdTriggerModule } = await import('nestjs-etcd-trigger');
    const configs = [
      { key: '/shop/user', type: user },
      { key: '/shop/password', type: password },
    ];
    const root = EtcdTriggerModule.forRoot({ client: { hosts: etcd.hosts }, configs, pinRequests: true });
    const module = await Test.createTestingModule({ imports: [root], providers: [credentials, invoices] })
      .setLogger(quiet)
      .compile();
    opened.push(await module.init());
    const { logins } = module.get(credentials);
    const invoice = await module.get(invoices).create(async () => {
      await module.get(credentials).replace('b', 'b');
      await eventually(() => logins.length === 2);
    });

    expect([invoice, logins]).toEqual(['a:a', ['a:a', 'b:b']]);
  });

  it('reads and writes other formats', async () => {
    await put('/shop/open', 'on');
    await put('/shop/database.yaml', 'host: db-1 # the old one\nport: 5432\n');
    await put('/shop/banner', '20 Closed tomorrow');
    const app = await start([await loadClass('formats.module.js', 'FormatsModule')]);
    const store = app.get(StoreService);
    const open = await loadClass<{ value: boolean }>('formats.module.js', 'Switch');
    const banner = await loadClass<object>('formats.module.js', 'Banner');
    const database = await loadClass<Database>('database.config.js', 'DatabaseConfig');

    expect(store.get('/shop/open', open)).toEqual({ value: true });
    expect(store.get('/shop/database.yaml', database)).toEqual({ host: 'db-1', port: 5432 });
    expect(store.get('/shop/banner', banner)).toEqual({ seconds: 20, text: 'Closed tomorrow' });
    await store.put('/shop/open', Object.assign(new open(), { value: false }));
    await store.put('/shop/database.yaml', { host: 'db-2', port: 5432 });
    await store.put('/shop/banner', { seconds: 5, text: 'Open again' });

    expect(store.get('/shop/open', open)).toEqual({ value: false });
    const written = await Promise.all(
      ['open', 'database.yaml', 'banner'].map((key) => etcd.direct.get(`/shop/${key}`).string()),
    );
    expect(written).toEqual(['off', 'host: db-2\nport: 5432\n', '5 Open again']);
  });

  it('reads and writes a value that a key-management service encrypts', async () => {
    const codec = await load<ConfigCodec>('encrypted.module.js', 'encrypted');
    await etcd.direct.put('/shop/signing').value(Buffer.from(await codec.encode({ key: 'sesame' })));
    const app = await start([await loadClass('encrypted.module.js', 'EncryptedModule')]);
    const signing = await loadClass<{ key: string }>('encrypted.module.js', 'Signing');
    const store = app.get(StoreService);

    expect(store.get('/shop/signing', signing)).toEqual({ key: 'sesame' });
    await store.put('/shop/signing', signing, { key: 'open' });
    expect(store.get('/shop/signing', signing)).toEqual({ key: 'open' });
    expect(await etcd.direct.get('/shop/signing').string()).not.toContain('open');
  });

  it('logs the whole configuration at startup, without its secrets', async () => {
    await put('/shop/payment', '{"url":"https://pay","timeoutMs":5,"apiKey":"sesame"}');
    const app = await start([await loadClass('payment.module.js', 'PaymentModule')]);
    const report = app.get<{ line: string }>(await loadClass('payment.module.js', 'StartupReport'));

    expect(JSON.parse(report.line)).toMatchObject([
      { key: '/shop/payment', value: { url: 'https://pay', timeoutMs: 5, apiKey: '***' }, source: 'etcd' },
    ]);
    const payment = await loadClass<{ apiKey: string }>('payment.module.js', 'PaymentConfig');
    expect(app.get(StoreService).get('/shop/payment', payment)?.apiKey).toBe('sesame');
  });

  it('resolves a reference to a secret, and keeps the reference in etcd', async () => {
    await put('/shop/mail', '{"host":"mail-1","password":"vault:mail#password"}');
    const secrets = await load<Map<string, string>>('references.module.js', 'secrets');
    const app = await start([await loadClass('references.module.js', 'ReferencesModule')]);
    const mail = await loadClass<{ host: string; password: string }>('references.module.js', 'MailConfig');
    const store = app.get(StoreService);

    expect(store.get('/shop/mail', mail)?.password).toBe('first');
    await store.update('/shop/mail', mail, (current) => ({ password: '', ...current, host: 'mail-2' }));
    expect(await etcd.direct.get('/shop/mail').json()).toEqual({ host: 'mail-2', password: 'vault:mail#password' });
    secrets.set('mail#password', 'second');
    await eventually(() => store.get('/shop/mail', mail)?.password === 'second');
  });

  it('converts texts of one form, rejects all others, and reads a former name', async () => {
    const job = await loadClass<object>('strict.js', 'JobConfig');
    const pool = await loadClass<object>('strict.js', 'PoolConfig');
    const configs: ConfigDefinition[] = [
      { key: '/job', type: job },
      { key: '/pool', type: pool, unknown: 'refuse' },
    ];
    const valid = { enabled: 'true', size: '12', since: '2024-02-29T00:00:00Z', timeoutMs: '30s' };
    const cluster = new FakeCluster({ '/job': valid, '/pool': { maxConnections: 5 } });
    await using started = await startApp({ hosts: '', client: cluster, configs });
    const { store } = started;
    const seen = { enabled: true, size: 12, since: new Date('2024-02-29T00:00:00Z'), timeoutMs: 30_000 };

    expect([store.get('/job', job), store.get('/pool', pool)]).toEqual([seen, { size: 5 }]);
    await store.put('/job', job, store.getOrThrow('/job', job));
    expect(store.get('/job', job)).toEqual(seen);
    const invalid = { enabled: 'off', size: '', since: '2024-02-30T00:00:00Z', timeoutMs: '30' };
    await store.waitForRevision(cluster.put('/job', invalid).revision);
    expect(store.entry('/job', job).violations?.map(({ path }) => path)).toEqual(Object.keys(invalid));
  });

  it('reads and writes integers that JavaScript would round, with a codec', async () => {
    await put('/shop/account', '{"id":9007199254740993,"name":"a"}');
    const app = await start([await loadClass('exact.module.js', 'ExactModule')]);
    const store = app.get(StoreService);
    const account = await loadClass<{ id: string; name: string }>('exact.module.js', 'Account');

    expect(store.get('/shop/account', account)).toEqual({ id: '9007199254740993', name: 'a' });
    await store.update('/shop/account', account, (current) => ({ id: '1', ...current, name: 'b' }));
    expect(await etcd.direct.get('/shop/account').string()).toBe('{"id":9007199254740993,"name":"b"}');
  });

  it('provides a ConfigService that is current in every constructor and follows later changes', async () => {
    await put('/shop/database', '{"host":"db-1","port":5432}');
    const client = await loadClass<{ address: string }>('before.js', 'DatabaseClient');
    const app = await start(
      [
        await loadClass('app.module.js', 'AppModule'),
        await loadClass('config-service.module.js', 'ConfigServiceModule'),
      ],
      [client],
    );
    process.env.FROM_ENVIRONMENT = 'kept';
    const config = app.get(ConfigService);

    expect([app.get(client).address, config.get('FROM_ENVIRONMENT')]).toEqual(['db-1:5432', 'kept']);
    await app.get(StoreService).put('/shop/database', { host: 'db-2', port: 1 });
    expect([app.get(client).address, config.get('database.port')]).toEqual(['db-2:1', 1]);
    delete process.env.FROM_ENVIRONMENT;
  });

  it('tests a client without etcd', async () => {
    const addressOf = await load<(host: string) => Promise<string>>('client.test.js', 'addressOf');

    expect(await addressOf('test')).toBe('test:1');
  });
});
