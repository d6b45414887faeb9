import { readFile } from 'node:fs/promises';
import { Injectable, type ModuleMetadata, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import {
  BootError,
  type ConfigDefinition,
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  InvalidConfigError,
  OnWatchError,
  RevisionConflictError,
  StoreService,
  UnknownOutcomeError,
  type WatchEvent,
  WatchKey,
  WatchKeyRegistry,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { Canaries } from './canaries.js';
import { Evidence } from './evidence.js';
import { type GuardedCluster, startGuarded } from './guarded-cluster.js';

const canaries = new Canaries();
const passwords = { root: canaries.hatch('password of root'), app: canaries.hatch('password of app') };
const wrongPassword = canaries.hatch('wrong password');
const good = canaries.hatch('valid value');
const next = canaries.hatch('next value');
const bad = canaries.hatch('value that is not valid');
const thrown = canaries.hatch('message of an application');

class Access {
  @IsString() token!: string;
  @IsInt({ message: 'there are not $value connections' }) connections!: number;
}

const KEY = '/open/access';
const valid = (token = good) => ({ token, connections: 1 });
const BROKEN = {
  'JSON that ends too early': `{"token":"${bad}","connections":`,
  'JSON with a stray word': `{"token": ${bad}}`,
  'JSON that names a property twice': `{"token":"a","token":"${bad}","connections":1}`,
  'a property of another type': JSON.stringify({ token: 'x', connections: bad }),
  'no document at all': bad,
  'a list': JSON.stringify([bad]),
} as const;

let evidence: Evidence;
let cluster: GuardedCluster;

beforeAll(async () => {
  cluster = await startGuarded(passwords);
  for (const { key } of [cluster.certificates.client, cluster.certificates.stranger]) {
    // The first line of a key is the same in every key of its kind.
    canaries.adopt(key, (await readFile(key, 'utf8')).split('\n')[2] ?? '');
  }
});
beforeEach(async () => {
  evidence = new Evidence();
  await cluster.admin.delete().all();
});
afterEach(() => {
  expect(evidence.leaks(canaries)).toEqual([]);
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const configs: ConfigDefinition[] = [
  { key: KEY, type: Access },
  { prefix: '/open/yaml/', type: Access, codec: 'yaml', unknown: 'refuse' },
  { prefix: '/open/own/', type: Access, codec: { decode: refuseBytes, encode: refuseValue } },
];

function refuseBytes(bytes: Buffer): object {
  throw new Error(`cannot read ${bytes.toString()}`);
}

function refuseValue(value: unknown): Buffer {
  throw new Error(`cannot write ${JSON.stringify(value)}`);
}

const build = async (options: EtcdTriggerOptions, metadata: ModuleMetadata = {}): Promise<INestApplication> => {
  const imports = [EtcdTriggerModule.forRoot({ configs, logger: evidence, ...options })];
  const module = await Test.createTestingModule({ ...metadata, imports })
    .setLogger(evidence)
    .compile();
  return module.createNestApplication({ logger: evidence }).init();
};
const start = async (
  more: Partial<EtcdTriggerOptions> = {},
  metadata: ModuleMetadata = {},
): Promise<INestApplication> => build({ client: await cluster.clientOptions(), ...more }, metadata);
const write = (key: string, value: string): Promise<unknown> => cluster.admin.put(key).value(value).exec();

@Injectable()
class Clumsy {
  failures = 0;

  @WatchKey('/open/events/', { retry: { attempts: 2, backoff: { initialMs: 1 } } })
  onEvent({ value }: WatchEvent): void {
    throw new Error(`cannot do ${String(value)} ${thrown}`);
  }

  @WatchKey('/open/rejected/')
  async onRejected({ value }: WatchEvent): Promise<void> {
    await Promise.reject(new TypeError(String(value), { cause: thrown }));
  }

  @WatchKey('/open/odd/')
  onOdd({ value }: WatchEvent): void {
    // Not an Error at all, as some code throws.
    const odd: unknown = { value: String(value) };
    throw odd;
  }

  @WatchKey('/open/slow/', { timeoutMs: 20 })
  async onSlow(): Promise<void> {
    await new Promise(() => undefined);
  }

  @WatchKey('/open/typed/', { type: Access })
  @WatchKey('/open/typed/', { type: Access, onInvalid: 'error', unknown: 'refuse' })
  onTyped(): void {
    throw new Error(thrown);
  }

  @OnWatchError()
  onError(): void {
    this.failures += 1;
    throw new Error(thrown);
  }
}

describe('no value, password or key is found in what leaves the library', () => {
  it('when an application starts, follows, loses its connection and ends', async () => {
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

  it('when it starts on what its own codec, or YAML, does not understand, on nothing, or on a default that is not valid', async () => {
    await write('/open/own/1', bad);
    await write('/open/yaml/1', `token: [${bad}\nconnections: "${bad}`);
    await write('/open/yaml/2', `token: x\nconnections: 1\nother: ${bad}`);
    const refused = await evidence.refusal('start', () => start());
    expect((refused as BootError).problems).toHaveLength(3);

    const required = [{ key: '/open/missing', type: Access, required: true }];
    expect(await evidence.refusal('start', () => start({ configs: required }))).toBeInstanceOf(BootError);
    const invalid = Object.assign(new Access(), { token: 'x', connections: bad });
    await evidence.refusal('default', () =>
      start({ configs: [{ key: '/open/missing', type: Access, default: invalid }] }),
    );
  });

  it('when what is not valid comes while it runs', async () => {
    await write(KEY, JSON.stringify(valid()));
    const app = await start();
    const store = app.get(StoreService);
    for (const text of Object.values(BROKEN)) {
      const { revision } = (await cluster.admin.put(KEY).value(text)).header;
      await eventually(() => store.entry(KEY, Access).rejectedRevision === Number(revision));
      const { state, violations } = store.entry(KEY, Access);
      expect(evidence.keep('violations', { state, violations }).state).toBe('invalid');
    }
    await write('/open/own/1', bad);
    await write('/open/yaml/1', `{ ${bad}`);
    await write(KEY, JSON.stringify({ ...valid(next), other: bad }));
    await eventually(() => store.get(KEY, Access)?.token === next);
    await evidence.refusal('getOrThrow', () => store.getOrThrow('/open/yaml/1', Access));
    await app.close();

    expect(evidence.text).toMatch(/isInt/);
  });

  it('when writes are refused, conflict, or lose their answer', async () => {
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

  it('when handlers throw what they were given, take too long, or are given what is not valid', async () => {
    const app = await start({ shutdown: { drainTimeoutMs: 50 } }, { providers: [Clumsy] });
    const clumsy = app.get(Clumsy);
    for (const folder of ['events', 'rejected', 'odd', 'slow']) await write(`/open/${folder}/1`, good);
    for (const [name, text] of Object.entries(BROKEN)) await write(`/open/typed/${name}`, text);
    await write('/open/typed/valid', JSON.stringify({ ...valid(), other: bad }));
    // Four that fail, all broken ones of the strict handler, and the valid one of the other; the strict one refuses its unknown property.
    await eventually(() => clumsy.failures === 4 + Object.keys(BROKEN).length + 2);
    for (const handler of app.get(WatchKeyRegistry).list()) evidence.keep('handler', handler);
    await app.close();

    expect(evidence.text).toContain('Clumsy.onEvent');
  });

  it('when etcd no longer holds what was missed', async () => {
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
    await app.close();
  });

  it('when the password is wrong or the certificate is a stranger’s', async () => {
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

  it('when it runs on an etcd in memory', async () => {
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

it('the search finds a value in every shape, and a part of one', () => {
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
