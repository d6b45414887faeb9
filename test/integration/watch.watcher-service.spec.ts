import { InvalidOptionsError, type WatchBatch, WatchError, type WatchEvent } from 'nestjs-etcd-trigger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp, type StartedApp } from '../support/start-app.js';

describe('WatcherService', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  let app: StartedApp;
  let log: CollectingLogger;

  beforeEach(async () => {
    log = new CollectingLogger();
    app = await startApp({ hosts: etcd.hosts, logger: log });
  });
  afterEach(async () => {
    await app[Symbol.asyncDispose]();
  });

  describe('watch', () => {
    it('delivers the existing keys first, in key order, and then every change', async () => {
      await put('/a/2', 'two');
      await put('/a/1', 'one');
      const recorder = new Recorder();
      const subscription = await app.watcher.watch('/a/', recorder.onEvent);
      await subscription.initialDelivered;
      await put('/a/3', 'three');
      await etcd.direct.delete().key('/a/1');
      await eventually(() => recorder.events.length === 4);

      expect(
        recorder.events.map(({ type, key, value, previous, origin }) => [
          origin,
          type,
          key,
          value?.toString(),
          previous?.toString(),
        ]),
      ).toEqual([
        ['initial', 'put', '/a/1', 'one', undefined],
        ['initial', 'put', '/a/2', 'two', undefined],
        ['live', 'put', '/a/3', 'three', undefined],
        ['live', 'delete', '/a/1', undefined, 'one'],
      ]);
    });

    it('lists all pages at one revision, while keys are being written', async () => {
      const pad = 'x'.repeat(20_000);
      const write = (number: number) => etcd.putTogether({ '/p/0': `${number}`, '/p/999999': `${number}` });
      await write(0);
      for (let index = 1; index <= 1_500; index += 50) {
        await Promise.all(
          Array.from({ length: 50 }, (_, offset) => put(`/p/${String(index + offset).padStart(6, '0')}`, pad)),
        );
      }
      let stopped = false;
      const writing = (async () => {
        for (let number = 1; !stopped; number += 1) await write(number);
      })();
      for (let round = 0; round < 5; round += 1) {
        const recorder = new Recorder();
        const subscription = await app.watcher.watch('/p/', recorder.onEvent);
        await subscription.initialDelivered;
        const [first, last] = ['/p/0', '/p/999999'].map((key) =>
          recorder.events.find((event) => event.key === key && event.origin === 'initial'),
        );
        expect(first?.value?.toString()).toBe(last?.value?.toString());
        expect(recorder.events.filter(({ origin }) => origin === 'initial').length).toBe(1_502);
        await subscription.close();
      }
      stopped = true;
      await writing;
    });

    it('delivers only changes with initial: false', async () => {
      await put('/a/1', 'one');
      const recorder = new Recorder();
      await app.watcher.watch('/a/', recorder.onEvent, { initial: false });
      await put('/a/1', 'two');
      await eventually(() => recorder.events.length === 1);

      expect(recorder.events[0]).toMatchObject({ origin: 'live', key: '/a/1' });
      expect(recorder.events[0]?.previous?.toString()).toBe('one');
    });

    it('watches exactly one key with { key }', async () => {
      const exact = new Recorder();
      const prefix = new Recorder();
      await app.watcher.watch({ key: '/db' }, exact.onEvent);
      await app.watcher.watch({ prefix: '/db' }, prefix.onEvent);
      await put('/db', 'a');
      await put('/db2', 'b');
      await eventually(() => prefix.events.length === 2);

      expect(exact.events.map(({ key }) => key)).toEqual(['/db']);
    });

    it('lists exactly one key with { key }, not the keys after it', async () => {
      const exact = new Recorder();
      for (const key of ['/db', '/db2', '/z']) await put(key, 'x');
      const subscription = await app.watcher.watch({ key: '/db' }, exact.onEvent);
      await subscription.initialDelivered;
      const absent = await app.watcher.watch({ key: '/a' }, exact.onEvent);
      await absent.initialDelivered;

      expect(exact.events.map(({ key }) => key)).toEqual(['/db']);
    });

    it('preserves the bytes of keys and values, empty and large ones included', async () => {
      const values = [Buffer.alloc(0), Buffer.from([0, 255, 128, 10]), Buffer.alloc(1_048_576, 7), Buffer.from('ü€😀')];
      const keys = ['/b/ü€😀', Buffer.from([0x2f, 0x62, 0x2f, 0xff, 0xfe, 0x00]), '/b/ space\n', '/b/%2F'];
      const seen: WatchEvent[] = [];
      await app.watcher.watch('/b/', (event) => seen.push(event));
      for (const key of keys) for (const value of values) await app.watcher.put(key, value);
      await eventually(() => seen.length === keys.length * values.length);

      seen.forEach((event, index) => {
        const key = keys[Math.floor(index / values.length)] as string | Buffer;
        expect(event.keyBytes.equals(Buffer.from(key as string))).toBe(true);
        expect(event.value?.equals(values[index % values.length] as Buffer)).toBe(true);
      });
      expect(seen[0]?.key).toBe('/b/ü€😀');
      const found = await app.watcher.get(keys[1] as Buffer);
      expect(found.value.equals(values[3] as Buffer)).toBe(true);
    });

    it('reports revision, createRevision, version and the decimal lease id', async () => {
      const lease = etcd.direct.lease(60);
      const id = BigInt(await lease.grant());
      const seen: WatchEvent[] = [];
      await app.watcher.watch('/m/', (event) => seen.push(event));
      const created = await put('/m/1', 'a');
      const changed = Number((await lease.put('/m/1').value('b')).header.revision);
      const { revision: deleted } = await app.watcher.delete('/m/1');
      await eventually(() => seen.length === 3);

      expect(
        seen.map(({ revision, createRevision, version, lease }) => [revision, createRevision, version, lease]),
      ).toEqual([
        [created, created, 1, undefined],
        [changed, created, 2, id.toString()],
        [deleted, 0, 0, undefined],
      ]);
      await lease.revoke();
    });

    it('delivers every change from fromRevision on, with the right previous, and none before it', async () => {
      await put('/f/1', 'a');
      const from = await put('/f/1', 'b');
      await put('/f/2', 'c');
      const seen: WatchEvent[] = [];
      await app.watcher.watch('/f/', (event) => seen.push(event), { fromRevision: from });
      await put('/f/1', 'd');
      await eventually(() => seen.length === 3);

      expect(
        seen.map(({ key, value, previous, origin }) => [key, value?.toString(), previous?.toString(), origin]),
      ).toEqual([
        ['/f/1', 'b', 'a', 'live'],
        ['/f/2', 'c', undefined, 'live'],
        ['/f/1', 'd', 'b', 'live'],
      ]);
    });

    it('accepts the revision after the newest one as fromRevision, and rejects later ones', async () => {
      const head = await put('/f/1', 'a');
      const recorder = new Recorder();
      await app.watcher.watch('/f/', recorder.onEvent, { fromRevision: head + 1 });
      await expect(app.watcher.watch('/f/', recorder.onEvent, { fromRevision: head + 2 })).rejects.toThrow(
        InvalidOptionsError,
      );
      const next = await put('/f/1', 'b');
      await eventually(() => recorder.events.length === 1);

      expect(recorder.revisions).toEqual([next]);
    });

    it('reports the first available revision if fromRevision is compacted', async () => {
      const first = await put('/f/1', 'a');
      const second = await put('/f/1', 'b');
      const third = await put('/f/1', 'c');
      await etcd.compact(second);

      const error = await app.watcher
        .watch('/f/', () => undefined, { fromRevision: first })
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(WatchError);
      expect((error as WatchError).revision).toBe(third);

      const recorder = new Recorder();
      await app.watcher.watch('/f/', recorder.onEvent, { fromRevision: third });
      await eventually(() => recorder.events.length === 1);
      expect(recorder.revisions).toEqual([third]);
    });

    it('shares one etcd watch between the listeners of a target, and serves late ones from memory', async () => {
      const watchers = async () => (await etcd.first.metric('etcd_debugging_mvcc_watcher_total')) ?? 0;
      // The server removes the watches of closed applications with a delay.
      await eventually(async () => (await watchers()) === 0);
      await put('/s/1', 'a');
      const recorders = [new Recorder(), new Recorder(), new Recorder()];
      for (const { onEvent } of recorders) await app.watcher.watch('/s/', onEvent);
      await put('/s/2', 'b');
      const late = new Recorder();
      await eventually(() => recorders[0]?.events.length === 2);
      await app.watcher.watch('/s/', late.onEvent);
      await eventually(() => late.events.length === 2);

      expect(late.events.map(({ key, origin }) => [key, origin])).toEqual([
        ['/s/1', 'initial'],
        ['/s/2', 'initial'],
      ]);
      expect(await watchers()).toBe(1);
    });

    it('ends when it is closed, also by its handler, and when its signal aborts', async () => {
      const abort = new AbortController();
      let calls = 0;
      const inside = await app.watcher.watch('/e/', async () => {
        calls += 1;
        await inside.close();
      });
      const aborted = await app.watcher.watch('/e/', () => undefined, { signal: abort.signal });
      await put('/e/1', 'a');
      await eventually(() => inside.status === 'closed');
      await put('/e/2', 'b');
      abort.abort();

      expect(await inside.closed).toBeUndefined();
      expect(await aborted.closed).toBeUndefined();
      expect([inside.status, aborted.status, calls]).toEqual(['closed', 'closed', 1]);
      await expect(app.watcher.watch('/e/', () => undefined, { signal: abort.signal })).rejects.toThrow(WatchError);
    });

    it('logs a failed call without its message, counts it, and continues', async () => {
      const seen: string[] = [];
      const subscription = await app.watcher.watch('/h/', ({ key, value }) => {
        seen.push(key);
        if (key === '/h/1') throw new TypeError(`the value is ${value?.toString() ?? ''}`);
        if (key === '/h/2') return Promise.reject(new RangeError(value?.toString()));
        return undefined;
      });
      for (const key of ['/h/1', '/h/2', '/h/3']) await put(key, 'SECRET');
      await eventually(() => seen.length === 3 && subscription.failures === 2);

      const errors = log.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
      expect(errors.length).toBe(2);
      expect(errors[0]).toMatch(/handler of prefix "\/h\/" failed for key "\/h\/1" at revision \d+: TypeError/);
      expect(errors[1]).toContain('RangeError');
      expect(log.text).not.toContain('SECRET');
    });

    it('runs the calls of one key one after the other, and up to 16 keys at once', async () => {
      const running = new Map<string, number>();
      let most = 0;
      let open = (): void => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      const order: string[] = [];
      await app.watcher.watch('/c/', async ({ key, value }) => {
        running.set(key, (running.get(key) ?? 0) + 1);
        expect(running.get(key)).toBe(1);
        most = Math.max(
          most,
          [...running.values()].reduce((sum, count) => sum + count, 0),
        );
        await opened;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
        order.push(`${key}=${value?.toString() ?? ''}`);
        running.set(key, 0);
      });
      await Promise.all(
        Array.from({ length: 40 }, async (_, key) => {
          for (let index = 0; index < 5; index += 1) await put(`/c/${key}`, String(index));
        }),
      );
      await eventually(() => most === 16);
      open();
      await eventually(() => order.length === 200);

      expect(most).toBe(16);
      for (let key = 0; key < 40; key += 1) {
        expect(order.filter((entry) => entry.startsWith(`/c/${key}=`))).toEqual(
          [0, 1, 2, 3, 4].map((index) => `/c/${key}=${index}`),
        );
      }
    });
  });

  it('calls watchBatch handlers once per revision, and once for the initial list', async () => {
    await put('/t/1', 'a');
    await put('/t/2', 'b');
    const batches: WatchBatch[] = [];
    await app.watcher.watchBatch('/t/', async (batch) => {
      await new Promise((resolve) => setImmediate(resolve));
      batches.push(batch);
    });
    await etcd.direct
      .if('/never', 'Create', '==', 0)
      .then(etcd.direct.put('/t/3').value('c'), etcd.direct.delete().key('/t/1'))
      .commit();
    await put('/t/4', 'd');
    await eventually(() => batches.length === 3);

    expect(batches.map(({ origin, events }) => [origin, events.map(({ type, key }) => `${type} ${key}`)])).toEqual([
      ['initial', ['put /t/1', 'put /t/2']],
      ['live', ['put /t/3', 'delete /t/1']],
      ['live', ['put /t/4']],
    ]);
  });

  it('returns a cold observable that completes with the application', async () => {
    await put('/o/1', 'a');
    const observable = app.watcher.observe('/o/');
    const seen: string[] = [];
    let completed = 0;
    const first = observable.subscribe({
      next: ({ key }) => seen.push(`first ${key}`),
      complete: () => (completed += 1),
    });
    observable.subscribe({ next: ({ key }) => seen.push(`second ${key}`), complete: () => (completed += 1) });
    await eventually(() => seen.length === 2);
    first.unsubscribe();
    await put('/o/2', 'b');
    await eventually(() => seen.length === 3);
    await app[Symbol.asyncDispose]();

    expect(seen).toEqual(['first /o/1', 'second /o/1', 'second /o/2']);
    expect(completed).toBe(1);
  });

  it('prepends the key prefix to all keys, and strips it from all results', async () => {
    await using prefixed = await startApp({ hosts: etcd.hosts, keyPrefix: '/tenant-1' });
    const recorder = new Recorder();
    await prefixed.watcher.watch('/k/', recorder.onEvent);
    await prefixed.watcher.put('/k/1', 'mine');
    await put('/k/2', 'not mine');
    await put('/tenant-1/k/3', 'mine too');
    await eventually(() => recorder.events.length === 2);

    expect(recorder.events.map(({ key }) => key)).toEqual(['/k/1', '/k/3']);
    expect(await etcd.direct.get('/tenant-1/k/1').string()).toBe('mine');
    expect((await prefixed.watcher.get('/k/1')).key).toBe('/k/1');
    expect(await prefixed.watcher.delete('/k/1')).toMatchObject({ deleted: 1 });
    expect(await prefixed.watcher.delete('/k/1')).toMatchObject({ deleted: 0 });
  });

  it.each([
    ['an empty target', '', /\{ prefix: '' \}/],
    ['both key and prefix', { key: 'a', prefix: 'b' }, /exactly one/],
    ['an empty key', { key: '' }, /empty/],
    ['a number', 7, /not number/],
  ])('rejects %s with one sentence', async (_, target, sentence) => {
    await expect(app.watcher.watch(target as never, () => undefined)).rejects.toThrow(InvalidOptionsError);
    await expect(app.watcher.watch(target as never, () => undefined)).rejects.toThrow(sentence);
  });

  it('rejects contradicting options, and handlers that are not functions', async () => {
    await expect(app.watcher.watch('/a', () => undefined, { fromRevision: 1, initial: true })).rejects.toThrow(
      /initial/,
    );
    await expect(app.watcher.watch('/a', () => undefined, { fromRevision: 0 })).rejects.toThrow(/at least 1/);
    await expect(app.watcher.watch('/a', 'no function' as never)).rejects.toThrow(/must be a function/);
    await expect(app.watcher.put('', 'x')).rejects.toThrow(/non-empty/);
    await expect(app.watcher.put('/a', 7 as never)).rejects.toThrow(/string or a Buffer/);
  });
});
