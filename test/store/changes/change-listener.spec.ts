import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { ChangeListener, type ChangeOptions } from '../../../lib/store/changes/change-listener.js';
import { ConfigCache } from '../../../lib/store/cache/config-cache.js';
import { type ConfigChange, initialChange } from '../../../lib/store/changes/config-change.js';
import { ConfigListeners } from '../../../lib/store/changes/config-listeners.js';
import { now, type ParsedChange, parsedPut } from '../../../lib/store/cache/cache-entry.js';
import { ListenerGuard } from '../../../lib/watch/delivery/listener-guard.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { CollectingLogger } from '../../support/collecting-logger.js';

interface Value {
  readonly n: number;
}
class Limit {}
class Other {}

/** A cache whose updates go to listeners, without etcd. */
class Store {
  readonly cache = new ConfigCache<Value>({
    onDelete: 'remove',
    documentOf: ({ bytes }) => JSON.parse(String(bytes)) as unknown,
  });
  readonly listeners = new ConfigListeners({
    failed: () => undefined,
    succeeded: () => undefined,
    crowded: () => undefined,
  });
  readonly logger = new CollectingLogger();
  #revision = 0;

  put(key: string, n: number): void {
    const write = { key, revision: (this.#revision += 1), bytes: Buffer.from(JSON.stringify({ n })) };
    this.#apply(parsedPut(write, { ok: true, value: { n }, stripped: [] }, undefined, now()));
  }

  delete(key: string): void {
    this.#apply({ state: 'deleted', key, revision: (this.#revision += 1) });
  }

  listen(prefix: string, call: (change: ConfigChange) => unknown, options: ChangeOptions = {}, completed?: () => void) {
    const existing = (under: string): ConfigChange[] =>
      this.cache
        .view()
        .entries(under)
        .map(([key, value]) => initialChange(key, value, this.cache.entry(key).revision));
    const log = new InstanceLog(this.logger, { serviceName: 'test', podName: 'test' });
    return this.listeners.add(
      new ChangeListener(prefix, call, options, { guard: new ListenerGuard(log), existing }, completed),
    );
  }

  #apply(change: ParsedChange<Value>): void {
    this.listeners.notify(this.cache.apply({ origin: 'live', changes: [change] }).changes, Limit);
  }
}

const textOf = ({ type, key, value, previous, changedPaths, origin }: ConfigChange): string =>
  `${origin} ${type} ${key} ${(previous as Value | undefined)?.n ?? '-'}>${(value as Value | undefined)?.n ?? '-'} [${changedPaths.join()}]`;

const started = (): Promise<void> => Promise.resolve();

describe('a listener of changes', () => {
  it('receives existing configurations first, then only changes', async () => {
    const store = new Store();
    const received: string[] = [];
    store.put('/a/1', 1);
    store.listen('/a/', (change) => received.push(textOf(change)));
    store.put('/a/2', 2);
    await started();

    store.put('/a/1', 1);
    store.put('/b', 1);
    store.put('/a/1', 3);
    store.delete('/a/2');
    store.delete('/a/2');

    expect(received).toEqual([
      'initial put /a/1 ->1 []',
      'initial put /a/2 ->2 []',
      'live put /a/1 1>3 [n]',
      'live delete /a/2 2>- []',
    ]);
  });

  it('may throw, reject, close itself, be added twice and add listeners, and affects no other listener', async () => {
    const store = new Store();
    const received: string[] = [];
    const record = (change: ConfigChange): void => void received.push(textOf(change));
    store.listen('/', () => {
      throw new Error('SECRET');
    });
    store.listen('/', () => Promise.reject(new Error('SECRET')));
    const once = store.listen('/', ({ key }) => {
      received.push(`once ${key}`);
      once.close();
      if (key === '/1') store.listen('/', ({ origin }) => received.push(`inner ${origin}`));
    });
    store.listen('/', () => ({
      then: (_: unknown, reject: (error: Error) => void) => {
        reject(new Error('SECRET'));
      },
    }));
    const first = store.listen('/', record);
    store.listen('/', record);
    await started();

    store.put('/1', 1);
    await started();
    first.close();
    first.close();
    store.put('/2', 2);
    await new Promise(setImmediate);

    expect(received).toEqual([
      'once /1',
      'live put /1 ->1 []',
      'live put /1 ->1 []',
      'inner initial',
      'live put /2 ->2 []',
      'inner live',
    ]);
    expect(store.logger.lines.length).toBe(6);
    expect(store.logger.text).toContain('a listener of changes under "/" failed for "/1": Error at ');
    expect(store.logger.text).not.toContain('SECRET');
  });

  it('may select one class, and receives no changes of others', async () => {
    const store = new Store();
    const received: string[] = [];
    store.listen('/', ({ key }) => received.push(`limit ${key}`), { type: Limit });
    store.listen('/', ({ key }) => received.push(`other ${key}`), { type: Other });
    await started();

    store.put('/1', 1);

    expect(received).toEqual(['limit /1']);
  });

  it('receives frozen changes', async () => {
    const store = new Store();
    const changes: ConfigChange[] = [];
    store.put('/1', 1);
    store.listen('/', (change) => changes.push(change));
    await started();

    store.put('/1', 2);

    for (const change of changes)
      expect([Object.isFrozen(change), Object.isFrozen(change.changedPaths)]).toEqual([true, true]);
  });

  it('completes with the store, also if it is added later', () => {
    const store = new Store();
    const ended: string[] = [];
    store.listen(
      '/',
      () => ended.push('change'),
      {},
      () => ended.push('first'),
    );

    store.listeners.close();
    store.listen(
      '/',
      () => ended.push('change'),
      {},
      () => ended.push('second'),
    );
    store.put('/1', 1);

    expect(ended).toEqual(['first', 'second']);
  });

  it.each([
    ['a prefix that is not a string', 7, String, {}, 'the prefix of a listener must be a string'],
    ['a listener that is not a function', '/a/', undefined, {}, 'the listener of "/a/" must be a function'],
    ['a negative time', '/a/', String, { debounceMs: -1 }, '"debounceMs" of the listener of "/a/" must be a number'],
    [
      'a time that is not a number',
      '/a/',
      String,
      { debounceMs: '5' },
      '"debounceMs" of the listener of "/a/" must be',
    ],
  ])('is rejected for %s', (_, prefix, call, options, sentence) => {
    const listen = (): unknown => new Store().listen(prefix as never, call as never, options as never);

    expect(listen).toThrow(InvalidOptionsError);
    expect(listen).toThrow(sentence);
  });
});

describe('a listener with debounceMs', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const listening = async (debounceMs: number) => {
    const store = new Store();
    const received: string[] = [];
    store.put('/1', 1);
    store.put('/2', 1);
    const subscription = store.listen('/', (change) => received.push(textOf(change)), { debounceMs });
    await started();
    received.length = 0;
    return { store, received, subscription };
  };

  it('receives the last state of each key after the debounce time, with the value that it last received', async () => {
    const { store, received } = await listening(100);

    store.put('/1', 2);
    store.delete('/2');
    vi.advanceTimersByTime(99);
    store.put('/1', 3);
    store.put('/3', 1);
    vi.advanceTimersByTime(99);
    expect(received).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(received).toEqual(['live put /1 1>3 [n]', 'live delete /2 1>- []', 'live put /3 ->1 []']);

    received.length = 0;
    store.put('/1', 4);
    vi.advanceTimersByTime(100);
    expect(received).toEqual(['live put /1 3>4 [n]']);
  });

  it('receives nothing for a change that was reverted in the meantime', async () => {
    const { store, received } = await listening(100);

    store.put('/1', 2);
    store.put('/1', 1);
    store.put('/3', 1);
    store.delete('/3');
    store.delete('/2');
    store.put('/2', 1);
    vi.advanceTimersByTime(1_000);

    expect(received).toEqual([]);
  });

  it('waits at most ten times the debounce time for continuous changes', async () => {
    const { store, received } = await listening(100);

    for (let n = 2; n <= 25; n += 1) {
      store.put('/1', n);
      vi.advanceTimersByTime(50);
    }

    expect(received).toEqual(['live put /1 1>21 [n]']);
  });

  it('receives nothing after close, and leaves no timer', async () => {
    const { store, received, subscription } = await listening(100);

    store.put('/1', 2);
    subscription.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
    const other = await listening(100);
    other.store.put('/1', 2);
    other.store.listeners.close();

    expect([received, other.received, vi.getTimerCount()]).toEqual([[], [], 0]);
  });
});
