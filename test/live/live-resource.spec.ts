import { describe, expect, it } from 'vitest';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { LiveResource, type LiveResourceOptions } from '../../lib/live/live-resource.js';
import type { ConfigSubscription } from '../../lib/store/changes/config-listeners.js';
import { Deferred } from '../../lib/timing/deferred.js';
import { ListenerGuard } from '../../lib/watch/delivery/listener-guard.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { CANARY, STRANGE } from '../support/strange-errors.js';
import { VirtualClock } from '../support/virtual-clock.js';

interface Config {
  readonly host: string;
}

/** A configuration that the test replaces. */
class Source {
  #listener: ((value: Config | undefined) => unknown) | undefined;

  constructor(public value: Config | undefined) {}

  onChange(listener: (value: Config | undefined) => unknown): ConfigSubscription {
    this.#listener = listener;
    queueMicrotask(() => listener(this.value));
    return { close: () => (this.#listener = undefined) };
  }

  set(host: string | undefined): void {
    this.value = host === undefined ? undefined : { host };
    this.#listener?.(this.value);
  }
}

interface Pool {
  readonly host: string;
}

/** One call of `create`, which the test settles. */
class Call extends Deferred<Pool> {
  constructor(
    readonly host: string,
    readonly signal: AbortSignal,
  ) {
    super();
  }

  succeed(): Pool {
    const pool = { host: this.host };
    this.resolve(pool);
    return pool;
  }
}

function setUp(options: Partial<LiveResourceOptions<Config, Pool>> = {}) {
  const clock = new VirtualClock();
  const logger = new CollectingLogger();
  const log = new InstanceLog(logger, { serviceName: 'test', podName: 'test' });
  const source = new Source({ host: 'a' });
  const calls: Call[] = [];
  const disposed: string[] = [];
  const live = new LiveResource<Config, Pool>({
    name: 'POOL',
    subject: 'Config at "/db"',
    config: source,
    create: ({ host }, signal) => {
      const call = new Call(host, signal);
      calls.push(call);
      return call.promise;
    },
    dispose: ({ host }) => {
      disposed.push(host);
    },
    drainMs: 10_000,
    createTimeoutMs: 10_000,
    log,
    guard: new ListenerGuard(log),
    clock,
    ...options,
  });
  const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const start = async (): Promise<Pool> => {
    const started = live.start();
    const pool = (await next(0)).succeed();
    await started;
    return pool;
  };
  /** The call with this number, once `create` was called that often. */
  const next = async (index: number): Promise<Call> => {
    await idle();
    const call = calls[index];
    if (!call) throw new Error(`create was called ${calls.length} times`);
    return call;
  };
  return { clock, logger, source, calls, disposed, live, idle, start, next };
}

describe('a live resource', () => {
  it('is complete after its start, and creates nothing twice for the same configuration', async () => {
    const { live, start, calls, idle } = setUp();
    const pool = await start();
    await idle();

    expect([live.value, live.state, calls.length]).toEqual([pool, 'current', 1]);
  });

  it('is replaced in one step, and the old one is disposed after listeners have the new one', async () => {
    const { live, start, source, next, disposed, idle } = setUp();
    await start();
    const seen: string[] = [];
    live.changes$.subscribe(({ host }) => seen.push(`${host} ${disposed.length}`));
    source.set('b');
    const second = await next(1);
    expect([live.value.host, disposed]).toEqual(['a', []]);
    second.succeed();
    await idle();

    expect([live.value.host, disposed, seen]).toEqual(['b', ['a'], ['a 0', 'b 0']]);
    expect(live.describe()).toMatchObject({ state: 'current', replacements: 1, draining: 0 });
  });

  it('keeps the old one until its last use has ended', async () => {
    const { live, start, source, next, disposed, idle, clock } = setUp();
    await start();
    const ends = [new Deferred(), new Deferred()];
    const uses = ends.map(({ promise }) => live.use(({ host }) => promise.then(() => host)));
    source.set('b');
    (await next(1)).succeed();
    await idle();
    ends[0]?.resolve();
    await idle();
    expect([disposed, live.describe().uses, live.describe().draining]).toEqual([[], 1, 1]);
    ends[1]?.resolve();

    expect(await Promise.all(uses)).toEqual(['a', 'a']);
    await idle();
    expect([disposed, clock.size]).toEqual([['a'], 0]);
  });

  it('disposes the old one after drainMs, with its uses in progress', async () => {
    const { live, start, source, next, disposed, idle, clock, logger } = setUp();
    await start();
    const end = new Deferred();
    const use = live.use(() => end.promise);
    source.set('b');
    (await next(1)).succeed();
    await idle();
    await clock.runUntil(9_999);
    expect(disposed).toEqual([]);
    await clock.runUntil(10_000);

    expect(disposed).toEqual(['a']);
    expect(logger.text).toContain('POOL: 1 uses of a replaced resource have not ended after 10000 ms: disposing it');
    end.resolve();
    await use;
    await idle();
    expect(disposed).toEqual(['a']);
  });

  it('passes on the errors of a use, also of one that throws at once', async () => {
    const { live, start, source, next, disposed, idle } = setUp();
    await start();
    const thrown = live.use(() => {
      throw new TypeError('x');
    });
    await expect(thrown).rejects.toThrow(TypeError);
    await expect(live.use(() => Promise.reject(new RangeError()))).rejects.toThrow(RangeError);
    source.set('b');
    (await next(1)).succeed();
    await idle();

    expect(disposed).toEqual(['a']);
  });
});

describe('changes while a resource is created', () => {
  it('abort the create under way, dispose its late result, and leave only the newest', async () => {
    const { live, start, source, next, calls, disposed, idle } = setUp();
    await start();
    source.set('b');
    const old = await next(1);
    for (const host of ['c', 'd', 'e']) source.set(host);
    await idle();
    expect([old.signal.aborted, calls.length]).toEqual([true, 2]);
    old.succeed();
    (await next(2)).succeed();
    await idle();

    expect([live.value.host, calls.map(({ host }) => host), disposed]).toEqual(['e', ['a', 'b', 'e'], ['b', 'a']]);
  });

  it('do not wait for a create that ignores its signal', async () => {
    const { live, start, source, next, disposed, idle, clock } = setUp();
    await start();
    source.set('b');
    const old = await next(1);
    source.set('c');
    await clock.runUntil(1_000);
    (await next(2)).succeed();
    await idle();
    expect([live.value.host, disposed]).toEqual(['c', ['a']]);
    old.succeed();
    await idle();

    expect([live.value.host, disposed, live.state]).toEqual(['c', ['a', 'b'], 'current']);
  });

  it('during the first create are part of the start', async () => {
    const { live, source, next, disposed, idle } = setUp();
    const started = live.start();
    const old = await next(0);
    source.set('b');
    old.succeed();
    await idle();
    (await next(1)).succeed();
    await started;

    expect([live.value.host, disposed]).toEqual(['b', ['a']]);
  });
});

describe('a create that fails', () => {
  it('keeps the old resource, and is retried with growing delays until it succeeds', async () => {
    const { live, start, source, next, calls, disposed, clock, idle, logger } = setUp();
    await start();
    source.set('b');
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      (await next(attempt)).reject(new TypeError('hunter2'));
      const failedAt = clock.now();
      await idle();
      expect([live.value.host, live.state, live.describe().failures]).toEqual(['a', 'kept', attempt]);
      while (calls.length <= attempt + 1 && clock.size > 0) await clock.runUntil(clock.now() + 100);
      delays.push(clock.now() - failedAt);
      if (calls.length <= attempt) throw new Error('no retry');
    }
    (await next(10)).succeed();
    await idle();

    expect(delays[0]).toBeLessThanOrEqual(600);
    expect(delays[8]).toBeGreaterThanOrEqual(15_000);
    expect(delays[8]).toBeLessThanOrEqual(30_200);
    expect([live.value.host, live.state, disposed, live.describe().failures]).toEqual(['b', 'current', ['a'], 0]);
    expect(logger.text).toContain('error POOL: create failed: TypeError at ');
    expect(logger.text).toContain('log POOL: the resource is current again');
    expect(logger.text).not.toContain('hunter2');
  });

  it('is not retried after the next change, which begins at once', async () => {
    const { live, start, source, next, calls, clock, idle } = setUp();
    await start();
    source.set('b');
    (await next(1)).reject(new Error());
    await idle();
    source.set('c');
    (await next(2)).succeed();
    await clock.runUntil(120_000);

    expect([live.value.host, calls.map(({ host }) => host)]).toEqual(['c', ['a', 'b', 'c']]);
  });

  it('names the code of a system error, and no other', async () => {
    const { start, source, next, idle, logger } = setUp();
    await start();
    source.set('b');
    (await next(1)).reject(Object.assign(new Error(), { code: 'ECONNREFUSED' }));
    await idle();
    source.set('c');
    (await next(2)).reject(Object.assign(new Error(), { code: 'EHUNTER' }));
    await idle();

    expect(logger.text).toContain('(ECONNREFUSED)');
    expect(logger.text).not.toContain('EHUNTER');
  });

  it('counts as failed after its time limit, and its late result is disposed', async () => {
    const { live, start, source, next, clock, disposed, idle, logger } = setUp();
    await start();
    source.set('b');
    const hung = await next(1);
    await clock.runUntil(10_000);
    expect([live.state, hung.signal.aborted]).toEqual(['kept', true]);
    expect(logger.text).toContain('POOL: create has not ended after 10000 ms; the old resource stays');
    hung.succeed();
    await idle();

    expect([live.value.host, disposed]).toEqual(['a', ['b']]);
  });

  it('stops the start with one sentence', async () => {
    const { live, next } = setUp();
    const started = live.start();
    (await next(0)).reject(new TypeError('hunter2'));

    const message = await started.catch((error: unknown) => (error as Error).message);
    expect(message).toMatch(/^POOL: create failed: TypeError at .+live-resource\.spec\.ts/);
    expect(message).not.toContain('hunter2');
  });

  it('stops the start if it never settles', async () => {
    const { live, clock } = setUp();
    const started = live.start().catch((error: unknown) => (error as Error).message);
    await clock.runUntil(10_000);

    expect(await started).toBe('POOL: create has not ended after 10000 ms');
  });

  it('stops the start if it throws at once', async () => {
    const { live } = setUp({
      create: () => {
        throw new RangeError('hunter2');
      },
    });

    await expect(live.start()).rejects.toThrow(/^POOL: create failed: RangeError at /);
  });

  it.each(STRANGE)('may reject with %s', async (_, thrown) => {
    const { live, next } = setUp();
    const started = live.start();
    (await next(0)).reject(thrown);

    const message = await started.catch((error: unknown) => (error as Error).message);
    expect(message).toMatch(/^POOL: create failed: /);
    expect(message).not.toContain(CANARY);
  });
});

describe('the configuration of a live resource', () => {
  it('must have a value at the start', async () => {
    const { live, source } = setUp();
    source.value = undefined;

    await expect(live.start()).rejects.toThrow(
      'POOL: Config at "/db" has no value: write one, or give its definition a "default" or "required"',
    );
  });

  it('may be deleted: the old resource stays until there is a new one', async () => {
    const { live, start, source, next, disposed, idle, clock } = setUp();
    await start();
    source.set(undefined);
    await clock.runUntil(60_000);
    expect([live.value.host, live.state, live.describe().reason]).toEqual(['a', 'kept', 'config-deleted']);
    source.set('b');
    (await next(1)).succeed();
    await idle();

    expect([live.value.host, live.state, disposed]).toEqual(['b', 'current', ['a']]);
  });

  it('may be deleted while a resource is created from it', async () => {
    const { live, start, source, next, disposed, idle } = setUp();
    await start();
    source.set('b');
    const old = await next(1);
    source.set(undefined);
    old.succeed();
    await idle();

    expect([live.value.host, live.state, disposed]).toEqual(['a', 'kept', ['b']]);
  });
});

describe('a create that returns an object again', () => {
  it('keeps the current one, which is not disposed', async () => {
    const pool = { host: 'shared' };
    const { live, source, disposed, idle } = setUp({ create: () => pool });
    await live.start();
    const seen: Pool[] = [];
    live.onChange((value) => seen.push(value));
    source.set('b');
    await idle();

    expect([live.value, disposed, seen, live.describe().replacements]).toEqual([pool, [], [pool], 0]);
  });

  it('takes one that is draining into use again', async () => {
    const pools: Record<string, Pool> = { a: { host: 'a' }, b: { host: 'b' } };
    const { live, source, disposed, idle, clock } = setUp({ create: ({ host }) => pools[host] as Pool });
    await live.start();
    const end = new Deferred();
    const use = live.use(() => end.promise);
    source.set('b');
    await idle();
    source.set('a');
    await idle();
    end.resolve();
    await use;
    await clock.runUntil(60_000);

    expect([live.value.host, disposed]).toEqual(['a', ['b']]);
  });

  it('does not dispose the current one as the late result of an aborted call', async () => {
    const pool = { host: 'shared' };
    const calls: Deferred<Pool>[] = [];
    const { live, source, disposed, idle } = setUp({
      create: () => {
        const call = new Deferred<Pool>();
        calls.push(call);
        return call.promise;
      },
    });
    const started = live.start();
    await idle();
    calls[0]?.resolve(pool);
    await started;
    source.set('b');
    await idle();
    source.set('c');
    calls[1]?.resolve(pool);
    await idle();

    expect([live.value, disposed]).toEqual([pool, []]);
  });
});

describe('a dispose', () => {
  it('that throws is logged by class and place', async () => {
    const { start, source, next, idle, logger, live } = setUp({
      dispose: () => {
        throw new RangeError('hunter2');
      },
    });
    await start();
    source.set('b');
    (await next(1)).succeed();
    await idle();

    expect(logger.text).toContain('error POOL: dispose failed: RangeError at ');
    expect(logger.text).not.toContain('hunter2');
    expect(live.describe().draining).toBe(0);
  });

  it('that hangs is awaited for a limited time at shutdown', async () => {
    const { live, start, clock, logger, idle } = setUp({ dispose: () => new Promise(() => undefined) });
    await start();
    let isClosed = false;
    const closed = live.close().then(() => (isClosed = true));
    await idle();
    expect(isClosed).toBe(false);
    await clock.runUntil(5_000);
    await closed;

    expect(logger.text).toContain('POOL: dispose has not ended after 5000 ms: not waiting for it');
  });
});

describe('closing a live resource', () => {
  it('disposes the current one after its uses, and the draining ones', async () => {
    const { live, start, source, next, disposed, idle } = setUp();
    await start();
    const [first, second] = [new Deferred(), new Deferred()];
    const uses = [live.use(() => first.promise)];
    source.set('b');
    (await next(1)).succeed();
    await idle();
    uses.push(live.use(() => second.promise));
    const closed = live.close();
    await idle();
    expect(disposed).toEqual([]);
    second.resolve();
    first.resolve();
    await Promise.all([...uses, closed]);

    expect(disposed.sort()).toEqual(['a', 'b']);
    expect(live.describe().state).toBe('closed');
  });

  it('aborts a create under way, and disposes its result', async () => {
    const { live, start, source, next, disposed } = setUp();
    await start();
    source.set('b');
    const call = await next(1);
    const closed = live.close();
    expect(call.signal.aborted).toBe(true);
    call.succeed();
    await closed;

    expect(disposed.sort()).toEqual(['a', 'b']);
  });

  it('does not wait forever for a create that ignores its signal, and disposes its result later', async () => {
    const { live, start, source, next, disposed, clock, idle, logger } = setUp();
    await start();
    source.set('b');
    const call = await next(1);
    const closed = live.close();
    await clock.runUntil(5_000);
    await closed;
    expect(logger.text).toContain('POOL: create ignores its abort signal: not waiting for it');
    call.succeed();
    await idle();

    expect(disposed).toEqual(['a', 'b']);
  });

  it('ends a start that is under way', async () => {
    const { live, next, disposed } = setUp();
    const started = live.start();
    const call = await next(0);
    const refused = expect(started).rejects.toThrow('POOL: the module is closed');
    const closed = live.close();
    call.succeed();
    await Promise.all([closed, refused]);

    expect(disposed).toEqual(['a']);
  });

  it('completes changes$, refuses uses, and ignores further changes', async () => {
    const { live, start, source, calls, idle, clock } = setUp();
    await start();
    let isComplete = false;
    live.changes$.subscribe({ complete: () => (isComplete = true) });
    await Promise.all([live.close(), live.close()]);
    source.set('b');
    await idle();

    expect([isComplete, calls.length, clock.size]).toEqual([true, 1, 0]);
    await expect(live.use(() => 1)).rejects.toThrow('POOL: the module is closed');
  });

  it('cancels a retry', async () => {
    const { live, start, source, next, calls, clock } = setUp();
    await start();
    source.set('b');
    (await next(1)).reject(new Error());
    await clock.runUntil(0);
    await live.close();

    expect([calls.length, clock.size]).toEqual([2, 0]);
  });
});

describe('a listener of a live resource', () => {
  it('that throws or rejects is logged, and harms nobody', async () => {
    const { live, start, source, next, idle, logger } = setUp();
    await start();
    const seen: string[] = [];
    live.onChange(() => {
      throw new RangeError('hunter2');
    });
    live.onChange(() => Promise.reject(new TypeError('hunter2')));
    live.changes$.subscribe(() => {
      throw new RangeError('hunter2');
    });
    live.onChange(({ host }) => seen.push(host)).close();
    live.onChange(({ host }) => seen.push(host));
    source.set('b');
    (await next(1)).succeed();
    await idle();

    expect(seen).toEqual(['a', 'b']);
    expect(logger.text).toContain('a listener of POOL failed: RangeError');
    expect(logger.text).toContain('a listener of POOL failed: TypeError');
    expect(logger.text).toContain('a subscriber of POOL failed: RangeError');
    expect(logger.text).not.toContain('hunter2');
  });

  it('must be a function', async () => {
    const { live, start } = setUp();
    await start();

    expect(() => live.onChange(undefined as never)).toThrow('the listener of POOL must be a function');
  });
});
