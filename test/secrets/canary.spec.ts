import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModuleMetadata, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  BootError,
  EtcdTriggerInspector,
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  InvalidConfigError,
  type RevisionConflictError,
  StoreService,
  UnknownOutcomeError,
  WatchKeyRegistry,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { TerminusModule } from '@nestjs/terminus';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  Access,
  BROKEN,
  Clumsy,
  KEY,
  bad,
  canaries,
  configs,
  encryptionSecret,
  good,
  next,
  passwords,
  thrown,
  valid,
  wrongPassword,
} from './careless-application.js';
import { Evidence } from './evidence.js';
import { type GuardedCluster, startGuarded } from './guarded-cluster.js';
import { Observed } from './observed.js';

let evidence: Evidence;
let cluster: GuardedCluster;
let observed: Observed;

beforeAll(async () => {
  observed = new Observed();
  cluster = await startGuarded(passwords);
  for (const { key } of [cluster.certificates.client, cluster.certificates.stranger]) {
    // The first line is the same in every key of this type.
    canaries.adopt(key, (await readFile(key, 'utf8')).split('\n')[2] ?? '');
  }
});
beforeEach(async () => {
  evidence = new Evidence();
  await cluster.admin.delete().all();
});
afterEach(async () => {
  evidence.keep('metrics', await observed.scrape());
  evidence.keep('spans', observed.spans);
  expect(evidence.leaks(canaries)).toEqual([]);
});
afterAll(async () => {
  observed.stop();
  await cluster[Symbol.asyncDispose]();
});

const build = async (options: EtcdTriggerOptions, metadata: ModuleMetadata = {}): Promise<INestApplication> => {
  const imports = [TerminusModule, EtcdTriggerModule.forRoot({ configs, logger: evidence, ...options })];
  const providers = [EtcdTriggerHealthIndicator, ...(metadata.providers ?? [])];
  const module = await Test.createTestingModule({ ...metadata, imports, providers })
    .setLogger(evidence)
    .compile();
  return module.createNestApplication({ logger: evidence }).init();
};
const start = async (
  more: Partial<EtcdTriggerOptions> = {},
  metadata: ModuleMetadata = {},
): Promise<INestApplication> => build({ client: await cluster.clientOptions(), ...more }, metadata);
/** Diagnostics of an application. */
const inquire = (app: INestApplication): void => {
  evidence.keep('description', app.get(EtcdTriggerInspector).describe());
  evidence.keep('liveness', app.get(EtcdTriggerHealthIndicator).live());
  evidence.keep('readiness', app.get(EtcdTriggerHealthIndicator).ready());
};
const write = (key: string, value: string): Promise<unknown> => cluster.admin.put(key).value(value).exec();

describe('no value, password or key leaves the library', () => {
  it('when an application starts, follows, loses its connection and stops', async () => {
    await write(KEY, JSON.stringify(valid()));
    const app = await start();
    const store = app.get(StoreService);
    store.onChange('/open/', () => {
      throw new Error(thrown);
    });
    const selected = store.select(KEY, Access, () => {
      throw new Error(thrown);
    });
    const subscription = selected.changes$.subscribe();
    cluster.proxy.cut();
    await write(KEY, JSON.stringify(valid(next)));
    await eventually(() => store.get(KEY, Access)?.token === next);
    for (const service of [store, selected, app.get(WatcherService), app.get(WatchKeyRegistry)]) {
      evidence.keep(service.constructor.name, service);
    }
    subscription.unsubscribe();
    await app.close();

    expect(evidence.text).toContain(KEY);
  });

  it.each(Object.entries(BROKEN))('when it starts on %s', async (_, text) => {
    await write(KEY, text);
    const error = await evidence.refusal('start', () => start());

    expect(error).toBeInstanceOf(BootError);
    expect(String(error)).toContain(KEY);
  });

  it('when it starts on a value that its codec or YAML cannot decode, on a missing value, or on an invalid default', async () => {
    await write('/open/own/1', bad);
    await write('/open/yaml/1', `token: [${bad}\nconnections: "${bad}`);
    await write('/open/yaml/2', `token: x\nconnections: 1\nother: ${bad}`);
    const failing = configs.map((definition) => ({ ...definition, onInvalid: 'fail' as const }));
    const refused = await evidence.refusal('start', () => start({ configs: failing }));
    expect((refused as BootError).problems).toHaveLength(3);
    const skipping = await start();
    inquire(skipping);
    await skipping.close();

    const required = [{ key: '/open/missing', type: Access, required: true }];
    expect(await evidence.refusal('start', () => start({ configs: required }))).toBeInstanceOf(BootError);
    const invalid = Object.assign(new Access(), { token: 'x', connections: bad });
    await evidence.refusal('default', () =>
      start({ configs: [{ key: '/open/missing', type: Access, default: invalid }] }),
    );
  });

  it('when it receives invalid values while it runs', async () => {
    await write(KEY, JSON.stringify(valid()));
    const app = await start();
    const store = app.get(StoreService);
    for (const text of Object.values(BROKEN)) {
      const { revision } = (await cluster.admin.put(KEY).value(text)).header;
      await eventually(() => store.entry(KEY, Access).rejectedRevision === Number(revision));
      const { state, violations } = store.entry(KEY, Access);
      expect(evidence.keep('violations', { state, violations }).state).toBe('invalid');
    }
    inquire(app);
    await write('/open/own/1', bad);
    await write('/open/yaml/1', `{ ${bad}`);
    await write(KEY, JSON.stringify({ ...valid(next), other: bad }));
    await eventually(() => store.get(KEY, Access)?.token === next);
    await evidence.refusal('getOrThrow', () => store.getOrThrow('/open/yaml/1', Access));
    await app.close();

    expect(evidence.text).toMatch(/isInt/);
  });

  it('when writes are rejected, conflict, or lose their answer', async () => {
    await write(KEY, JSON.stringify(valid()));
    const app = await start();
    const store = app.get(StoreService);
    const watcher = app.get(WatcherService);
    const wrong = { token: 'x', connections: bad };

    expect(await evidence.refusal('put', () => store.put(KEY, wrong))).toBeInstanceOf(InvalidConfigError);
    await evidence.refusal('own codec', () => store.put('/open/own/1', valid(bad)));
    await evidence.refusal('update', () => store.update(KEY, Access, () => wrong as unknown as Access));
    await evidence.refusal('transaction', () =>
      store.transaction((tx) => {
        tx.put(KEY, wrong);
      }),
    );
    await evidence.refusal('uncovered', () => store.put('/open/elsewhere', valid()));
    const conflict = await evidence.refusal('conflict', () => store.put(KEY, valid(next), { ifAbsent: true }));
    expect((conflict as RevisionConflictError).current(Access)?.token).toBe(good);
    await evidence.refusal('conflict', () => store.delete(KEY, { ifRevision: 1 }));
    await evidence.refusal('denied', () => watcher.put('/closed/1', bad));
    await evidence.refusal('too large', () => watcher.put('/open/large', bad.repeat(100_000)));
    await evidence.refusal('too large', () => store.put(KEY, valid(bad.repeat(100_000))));
    await evidence.refusal('unknown lease', () => watcher.put('/open/lease', bad, { lease: '123' }));
    evidence.keep(
      'history',
      (await store.history(KEY)).map(({ revision }) => revision),
    );
    await evidence.refusal('rollback', () => store.rollback(KEY, 1));

    cluster.proxy.freeze('down');
    const lost = evidence.refusal('lost', () => store.put(KEY, valid(next)));
    await eventually(async () => (await cluster.admin.get(KEY).string())?.includes(next) ?? false);
    await write(KEY, JSON.stringify(valid(bad)));
    cluster.proxy.cut();
    cluster.proxy.thaw();
    expect(await lost).toBeInstanceOf(UnknownOutcomeError);
    await app.close();
  });

  it('when handlers throw their arguments, take too long, or receive invalid values', async () => {
    const app = await start({ shutdown: { drainTimeoutMs: 50 } }, { providers: [Clumsy] });
    const clumsy = app.get(Clumsy);
    for (const folder of ['events', 'rejected', 'odd', 'slow']) await write(`/open/${folder}/1`, good);
    for (const [name, text] of Object.entries(BROKEN)) await write(`/open/typed/${name}`, text);
    await write('/open/typed/valid', JSON.stringify({ ...valid(), other: bad }));
    // Four handlers that fail, all invalid values of the strict handler, and the valid value of the other; the strict
    // handler rejects the unknown property.
    await eventually(() => clumsy.failures === 4 + Object.keys(BROKEN).length + 2);
    for (const handler of app.get(WatchKeyRegistry).list()) evidence.keep('handler', handler);
    inquire(app);
    await app.close();

    expect(evidence.text).toContain('Clumsy.onEvent');
    expect(await observed.scrape()).toContain('etcd_trigger_handler_given_up');
    expect(observed.spans).not.toEqual([]);
  });

  it('when etcd has compacted the missed changes', async () => {
    await write(KEY, JSON.stringify(valid()));
    const app = await start();
    const store = app.get(StoreService);
    const notices: string[] = [];
    await app.get(WatcherService).watch('/open/', () => undefined, {
      onResync: (notice) => {
        notices.push(evidence.keep('notice', notice).reason);
        throw new Error(thrown);
      },
    });
    cluster.proxy.refuse();
    cluster.proxy.cut();
    await write(KEY, BROKEN['JSON with a stray word']);
    const { revision } = (await cluster.admin.put(KEY).value(JSON.stringify(valid(next)))).header;
    await cluster.admin.kv.compact({ revision, physical: true });
    await cluster.proxy.accept();
    await eventually(() => notices.length === 1 && store.get(KEY, Access)?.token === next);
    inquire(app);
    await app.close();
  });

  it('when the password is wrong or the certificate is unknown', async () => {
    const { stranger } = cluster.certificates;
    const boot = { timeoutMs: 3_000 };
    const withPassword = await cluster.clientOptions({ password: wrongPassword });
    expect(await evidence.refusal('start', () => build({ client: withPassword, boot }))).toBeInstanceOf(BootError);
    const asStranger = await cluster.clientOptions({ files: stranger });
    expect(await evidence.refusal('start', () => build({ client: asStranger, boot }))).toBeInstanceOf(BootError);
    const { rootCertificate, privateKey } = withPassword.credentials;
    const halfway = { ...withPassword, credentials: { rootCertificate, ...(privateKey && { privateKey }) } };
    await evidence.refusal('start', () => build({ client: halfway, boot }));
  });

  it.each(['encrypted', 'without secret definitions'])('when it keeps a snapshot, %s', async (kind) => {
    const directory = await mkdtemp(join(tmpdir(), 'canary-'));
    const encryptionKey = kind === 'encrypted' ? Buffer.from(encryptionSecret.padEnd(32, '-')) : undefined;
    const snapshot = { directory, ...(encryptionKey && { encryptionKey }) };
    const secret = [{ key: KEY, type: Access, secret: true }];
    await write(KEY, JSON.stringify(valid()));
    const app = await start({ snapshot, configs: secret });
    await app.get(StoreService).put(KEY, valid(next));
    await app.close();
    const files = await readdir(directory);
    for (const file of files) evidence.keep(file, (await readFile(join(directory, file))).toString('latin1'));
    cluster.proxy.refuse();
    const boot = { policy: 'degraded', timeoutMs: 2_000 } as const;
    const offline = await start({ snapshot, configs: secret, boot });
    inquire(offline);
    const restored = offline.get(StoreService).get(KEY, Access)?.token;
    await offline.close();
    if (encryptionKey) {
      const another = { directory, encryptionKey: Buffer.alloc(32, bad) };
      await (await start({ snapshot: another, configs: secret, boot })).close();
    }
    await cluster.proxy.accept();
    await rm(directory, { recursive: true });

    expect(files).not.toEqual([]);
    expect(restored).toBe(encryptionKey ? next : undefined);
  });

  it('when it runs on a FakeCluster', async () => {
    const fake = new FakeCluster();
    fake.put(KEY, valid());
    const app = await build({ client: fake }, { providers: [Clumsy] });
    const store = app.get(StoreService);
    await evidence.refusal('invalid', () => store.put(KEY, { token: bad }));
    await evidence.refusal('conflict', () => store.put(KEY, valid(next), { ifAbsent: true }));
    fake.put('/open/events/1', good);
    fake.put('/open/typed/1', BROKEN['JSON with a stray word']);
    await eventually(() => app.get(Clumsy).failures === 2);
    fake.deny('/open/');
    await evidence.refusal('denied', () => store.put(KEY, valid(next)));
    fake.allow();
    fake.disconnect();
    await evidence.refusal('disconnected', () => app.get(WatcherService).put(KEY, next));
    fake.reconnect();
    fake.freeze();
    const lost = evidence.refusal('lost', () => store.put(KEY, valid(next)));
    await eventually(() => fake.get(KEY)?.value.includes(next) ?? false);
    fake.advance(60_000);
    await lost;
    evidence.keep('the fake', fake);
    await app.close();
  });
});

it('the search finds a value, and a part of one, in every encoding', () => {
  const shapes: Record<string, unknown> = {
    text: `"${good}"`,
    'a part': `..."${good.slice(3, 14)}"... is not valid`,
    bytes: Buffer.from(`{"token":"${good}"}`),
    list: [...Buffer.from(good)],
    base64: Buffer.from(`x${good}`).toString('base64'),
    hidden: Object.defineProperty({}, 'value', { value: good, enumerable: false }),
    'a map': new Map([['a', { deep: { deeper: { deepest: [good] } } }]]),
    cause: new Error('failed', { cause: new Error('because', { cause: { value: good } }) }),
    'a key': Object.assign(new Error('failed'), { [good]: 1 }),
  };
  for (const [name, thing] of Object.entries(shapes)) {
    const found = new Evidence();
    found.keep(name, thing);
    expect(found.leaks(canaries), name).not.toEqual([]);
  }
  const spoken = new Evidence();
  spoken.verbose('read', { value: Buffer.from(good) });
  console.debug(good);
  process.stderr.write(next);
  expect(spoken.leaks(canaries)).toHaveLength(3);
});
