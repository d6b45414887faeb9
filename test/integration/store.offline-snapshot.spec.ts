import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IsInt, IsString, Max } from 'class-validator';
import { Etcd3 } from 'etcd3';
import {
  BootError,
  type ConfigChange,
  type ConfigDefinition,
  type EtcdTriggerOptions,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigDocument } from '../../lib/store/cache/config-cache.js';
import { decodeSnapshot } from '../../lib/store/snapshot/snapshot-format.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Database {
  @IsString() host!: string;
}
class Limit {
  @IsInt() count!: number;
}
class Password {
  @IsString() password!: string;
}

const CONFIGS: ConfigDefinition[] = [
  { key: '/db', type: Database, required: true },
  { prefix: '/limits/', type: Limit },
  { key: '/defaulted', type: Limit, default: { count: 3 } },
];

describe('an offline snapshot', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  let proxy: TcpProxy;
  let directory: string;
  let file: string;

  beforeEach(async () => {
    await put('/db', { host: 'a' });
    await put('/limits/a', { count: 1 });
    await put('/limits/b', { count: 2 });
    proxy = await TcpProxy.start(etcd.first.clientPort);
    directory = mkdtempSync(join(tmpdir(), 'offline-snapshot-'));
    file = join(directory, 'etcd-trigger.default.snapshot');
  });
  afterEach(() => {
    proxy.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (more: Partial<EtcdTriggerOptions> = {}, providers: (new () => object)[] = []) =>
    startApp({ hosts: proxy.endpoint, configs: CONFIGS, snapshot: { directory }, ...more }, { providers });
  /** Runs the application once and then makes etcd unreachable. */
  const leaveSnapshot = async (more: Partial<EtcdTriggerOptions> = {}): Promise<void> => {
    await (await start(more))[Symbol.asyncDispose]();
    proxy.refuse();
    proxy.cut();
  };

  it('provides the last good configuration for a restart without etcd, with the status stale', async () => {
    const revision = await put('/limits/b', { count: 7 });
    await leaveSnapshot();
    const log = new CollectingLogger();
    await using app = await start({ logger: log });

    expect(app.store.status).toBe('stale');
    expect(app.store.get('/db', Database)).toBeInstanceOf(Database);
    expect(app.store.entry('/limits/b', Limit)).toEqual({
      value: { count: 7 },
      state: 'valid',
      revision,
      source: 'snapshot',
    });
    expect(app.store.keys()).toEqual(['/db', '/defaulted', '/limits/a', '/limits/b']);
    expect(app.store.entry('/defaulted', Limit)).toMatchObject({ value: { count: 3 }, source: 'default' });
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text)).toEqual([
      expect.stringContaining(`the offline snapshot ${file}, current at `),
    ]);
  });

  it('is replaced when etcd is available again: changes and deletions are delivered, and equal values stay the same object', async () => {
    await leaveSnapshot();
    await using app = await start();
    const same = app.store.get('/db', Database);
    const changes: ConfigChange[] = [];
    app.store.onChange('', (change) => changes.push(change));
    await eventually(() => changes.length === 4);
    const written = await put('/limits/a', { count: 10 });
    await etcd.direct.delete().key('/limits/b');
    changes.length = 0;
    await proxy.accept();
    await eventually(() => app.store.status === 'ready');

    expect(changes).toEqual([
      {
        type: 'put',
        key: '/limits/a',
        value: { count: 10 },
        previous: { count: 1 },
        changedPaths: ['count'],
        revision: written,
        origin: 'resync',
      },
      {
        type: 'delete',
        key: '/limits/b',
        previous: { count: 2 },
        changedPaths: [''],
        revision: written + 1,
        origin: 'resync',
      },
    ]);
    expect(app.store.get('/db', Database)).toBe(same);
    expect(app.store.entry('/db', Database).source).toBe('etcd');
    await app.store.put('/limits/c', { count: 3 });
    expect(changes.at(-1)).toMatchObject({ key: '/limits/c', origin: 'live' });
  });

  it('is written soon after every change, and only its owner can read it', async () => {
    await using app = await start();
    const { revision } = await app.store.put('/limits/a', { count: 5 });
    const documents = (): ConfigDocument[] => [...decodeSnapshot(readFileSync(file)).documents];
    await eventually(() => documents().some((document) => document.revision === revision));

    expect(
      documents()
        .map(({ key, bytes }) => `${key} ${bytes.toString()}`)
        .sort(),
    ).toEqual(['/db {"host":"a"}', '/limits/a {"count":5}', '/limits/b {"count":2}']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['etcd-trigger.default.snapshot']);
  });

  it('is not overwritten by a failed start', async () => {
    await leaveSnapshot();
    await proxy.accept();
    await etcd.direct.delete().all();
    const before = readFileSync(file);

    await expect(start()).rejects.toThrow(BootError);

    expect(readFileSync(file)).toEqual(before);
  });

  it('excludes secret definitions unless it is encrypted, which makes all of it unreadable', async () => {
    await put('/secret', { password: 'hunter2' });
    const configs: ConfigDefinition[] = [...CONFIGS, { key: '/secret', type: Password, secret: true }];
    const encryptionKey = randomBytes(32);
    const base64 = Buffer.from('{"password":"hunter2"}').toString('base64');
    await leaveSnapshot({ configs });
    expect(readFileSync(file, 'latin1')).not.toContain(base64);
    const log = new CollectingLogger();
    await using open = await start({ configs, logger: log });
    expect([open.store.status, open.store.get('/secret', Password)]).toEqual(['stale', undefined]);
    expect(log.text).toContain('it does not contain key "/secret"');

    await proxy.accept();
    await leaveSnapshot({ configs, snapshot: { directory, encryptionKey } });
    const sealed = readFileSync(file, 'latin1');
    await using app = await start({ configs, logger: log, snapshot: { directory, encryptionKey } });

    expect(app.store.get('/secret', Password)).toEqual({ password: 'hunter2' });
    for (const text of ['/secret', '/db', base64]) expect(sealed).not.toContain(text);
    expect(log.text).not.toContain('hunter2');
  });

  it('provides no value that the current class rejects', async () => {
    await leaveSnapshot();
    class Tight {
      @IsInt() @Max(1) count!: number;
    }
    const withTight = (required: boolean): Partial<EtcdTriggerOptions> => ({
      configs: [
        { key: '/limits/a', type: Tight },
        { prefix: '/limits/', type: Tight },
        { key: '/limits/b', type: Tight, required },
      ],
    });
    await using app = await start(withTight(false));

    expect(app.store.keys()).toEqual(['/limits/a']);
    await expect(start(withTight(true))).rejects.toThrow(/3 problems/);
  });

  it.each([
    ['is older than allowed', { maxAgeMs: 1 }, 'is older than 1 ms'],
    [
      'was written with another key',
      { encryptionKey: randomBytes(32) },
      'is not encrypted, although there is an encryptionKey',
    ],
  ])('that %s is reported once and not used', async (_, options, reason) => {
    await leaveSnapshot();
    const log = new CollectingLogger();
    await expect(start({ logger: log, snapshot: { directory, ...options } })).rejects.toThrow(BootError);

    const warnings = log.lines.filter(({ text }) => text.includes(file));
    expect(warnings.map(({ text }) => text)).toEqual([expect.stringContaining(`${file} ${reason}`)]);
  });

  it.each<[string, (file: string, content: Buffer) => unknown, string]>([
    ['a named pipe', (at) => execFileSync('mkfifo', [at]), 'is not a regular file'],
    [
      'a folder',
      (at) => {
        mkdirSync(at);
      },
      'is not a regular file',
    ],
    [
      'dated in the future',
      (at, content) => {
        writeFileSync(at, withHead(content, { asOf: Date.now() + 3_600_000 }));
      },
      'has an unknown age',
    ],
    [
      'without definitions',
      (at, content) => {
        writeFileSync(at, withHead(content, { definitions: undefined }));
      },
      'has another content than a snapshot',
    ],
  ])('that is %s does not change a start without etcd', async (_, change, reason) => {
    await leaveSnapshot();
    const content = readFileSync(file);
    rmSync(file);
    change(file, content);
    const log = new CollectingLogger();

    await expect(start({ logger: log, snapshot: { directory, maxAgeMs: 60_000 } })).rejects.toThrow(BootError);

    const warnings = log.lines.filter(({ text }) => text.includes(file));
    expect(warnings.map(({ text }) => text)).toEqual([expect.stringContaining(`${file} ${reason}`)]);
  });

  it('of another cluster is discarded when etcd answers, even with keep-last, and reported once', async () => {
    const kept: ConfigDefinition[] = [
      { key: '/db', type: Database, required: true },
      { prefix: '/limits/', type: Limit, onDelete: 'keep-last' },
    ];
    await leaveSnapshot({ configs: kept });
    await using other = await EtcdTestCluster.start();
    const elsewhere = new Etcd3({ hosts: other.hosts });
    await elsewhere.put('/db').value('{"host":"other"}');
    await elsewhere.put('/limits/a').value('"not valid"');
    elsewhere.close();
    const log = new CollectingLogger();
    await using app = await start({ configs: kept, logger: log });
    expect(app.store.get('/limits/b', Limit)).toEqual({ count: 2 });
    proxy.retarget(other.first.clientPort);
    await proxy.accept();
    await eventually(() => app.store.get('/db', Database)?.host === 'other');
    await eventually(() => app.store.status === 'ready');

    expect(app.store.keys()).toEqual(['/db']);
    expect(app.store.entry('/limits/a', Limit)).toMatchObject({ value: undefined, state: 'invalid' });
    expect(log.lines.filter(({ text }) => text.includes('of another cluster')).length).toBe(1);
    await eventually(() => decodeSnapshot(readFileSync(file)).documents.length === 1);
  });

  it('does not keep handlers from starting when etcd is available again', async () => {
    await leaveSnapshot();
    const received: string[] = [];
    class Handler {
      @WatchKey('/limits/')
      onEvent({ key, origin }: WatchEvent): void {
        received.push(`${origin} ${key}`);
      }
    }
    await using app = await start({}, [Handler]);
    expect(app.store.status).toBe('stale');
    await proxy.accept();
    await eventually(() => received.length === 2);

    expect(received.sort()).toEqual(['initial /limits/a', 'initial /limits/b']);
  });

  it('that cannot be written causes one warning and nothing else', async () => {
    writeFileSync(file, '');
    const log = new CollectingLogger();
    await using app = await start({ logger: log, snapshot: { directory: file } });
    await eventually(() => log.text.includes('cannot be written'));
    for (let count = 0; count < 5; count += 1) await app.store.put('/limits/a', { count });

    expect(app.store.status).toBe('ready');
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text)).toEqual([
      expect.stringMatching(/cannot be written \((EEXIST|ENOTDIR)\); the write is retried/),
    ]);
  });
});

/** Replaces parts of the first line of a plain snapshot, and its checksum. */
function withHead(content: Buffer, change: object): Buffer {
  const [format, head = '', ...documents] = content.subarray(0, -32).toString().split('\n');
  const changed = JSON.stringify({ ...(JSON.parse(head) as object), ...change });
  const whole = Buffer.from([format, changed, ...documents].join('\n'));
  return Buffer.concat([whole, createHash('sha256').update(whole).digest()]);
}
