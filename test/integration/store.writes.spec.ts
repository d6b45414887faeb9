import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { IsInt, IsNumber, IsString, registerDecorator } from 'class-validator';
import {
  type ConfigCodec,
  ConnectionTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
  RevisionConflictError,
  RevisionUnavailableError,
  WriteError,
} from 'nestjs-etcd-trigger';
import * as yaml from 'yaml';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Counter {
  @IsInt() count!: number;
}
class Gauge {
  @IsInt() count!: number;
  @IsNumber() double!: number;
  @IsNumber({}, { each: true }) list!: number[];
}
class Owner {
  @IsString() name!: string;
}
const configs = [
  { prefix: '/counters/', type: Counter },
  { key: '/gauges/json', type: Gauge },
  { key: '/gauges/yaml', type: Gauge, codec: 'yaml' as const },
  { key: '/owner', type: Owner },
  { prefix: '/owners/', type: Owner },
  { key: '/defaulted', type: Counter, default: { count: 10 } },
];
const increment = (current?: Counter): Counter => ({ count: (current?.count ?? 0) + 1 });

describe('writing through the store', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const start = (more: object = {}) => startApp({ hosts: etcd.hosts, configs, ...more });

  describe('update', () => {
    it('computes the next value from the value that readers see, including a default and a last good value', async () => {
      await put('/counters/bad', { count: 5 });
      await using app = await start();
      await app.store.waitForRevision(await put('/counters/bad', { count: 'x' }));
      for (const key of ['/counters/new', '/counters/bad', '/defaulted'])
        await app.store.update(key, Counter, increment);

      expect(app.store.get('/counters/new', Counter)).toEqual({ count: 1 });
      expect(app.store.get('/counters/bad', Counter)).toEqual({ count: 6 });
      expect(app.store.get('/defaulted', Counter)).toEqual({ count: 11 });
    });

    it.each(['1e300', '1.7976931348623157e308', '1e21', '9007199254740993.0', '-5e-324', '123456789012345678e3'])(
      'keeps the double of another property exactly, as other programs wrote it: %s',
      async (double) => {
        const read = async (key: string): Promise<unknown> => {
          const text = (await etcd.direct.get(key).string()) ?? '';
          return key.endsWith('yaml') ? yaml.parse(text) : JSON.parse(text);
        };
        const counting = (count: number) => (current?: Gauge) => Object.assign(new Gauge(), current, { count });
        await put('/gauges/json', `{"count":1,"double":${double},"list":[${double}]}`);
        await put('/gauges/yaml', `count: 1\ndouble: ${double}\nlist: [${double}]`);
        await using app = await start();

        for (const key of ['/gauges/json', '/gauges/yaml']) {
          await app.store.update(key, Gauge, counting(2));
          const expected = { count: 2, double: Number(double), list: [Number(double)] };
          expect(app.store.get(key, Gauge)).toEqual(expected);
          expect(await read(key)).toEqual(expected);
          await app.store.update(key, Gauge, counting(3));
          expect(await app.store.fresh(key, Gauge)).toEqual({ ...expected, count: 3 });
        }
      },
    );

    it('loses no increment of concurrent updates in several processes', async () => {
      await using one = await start();
      await using two = await start();
      await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          (index % 2 ? one : two).store.update('/counters/1', Counter, increment),
        ),
      );

      expect(await one.store.fresh('/counters/1', Counter)).toEqual({ count: 60 });
    });

    it('retries with the value of a conflicting write or deletion, and gives up after 50 attempts', async () => {
      await put('/counters/1', { count: 1 });
      await using app = await start();
      const received: (number | undefined)[] = [];
      await app.store.update('/counters/1', Counter, async (current) => {
        received.push(current?.count);
        if (received.length === 1) await put('/counters/1', { count: 7 });
        if (received.length === 2) await etcd.direct.delete().key('/counters/1');
        return increment(current);
      });
      expect(received).toEqual([1, 7, undefined]);

      let tries = 0;
      const never = app.store.update('/counters/1', Counter, async () => {
        tries += 1;
        await put('/counters/1', { count: -tries });
        return { count: 0 };
      });
      const conflict = (await never.catch((error: unknown) => error)) as RevisionConflictError;
      expect(conflict).toBeInstanceOf(RevisionConflictError);
      expect(conflict.current(Counter)).toEqual({ count: -50 });
      expect(conflict.current(Owner)).toBeUndefined();
      expect(tries).toBe(50);
    });

    it('writes nothing if the change throws or returns an invalid value, and the next update proceeds', async () => {
      await using app = await start();
      const failure = new Error('mine');
      const failing = app.store.update('/counters/1', Counter, () => {
        throw failure;
      });
      const invalid = app.store.update('/counters/1', Counter, () => ({ count: 'SECRET' }) as never);
      const next = app.store.update('/counters/1', Counter, increment);

      await expect(failing).rejects.toBe(failure);
      await expect(invalid).rejects.toThrow(InvalidConfigError);
      await expect(app.store.update('/owner', Counter, increment)).rejects.toThrow(InvalidOptionsError);
      expect(await next).toMatchObject({ visible: true });
      expect(app.store.get('/counters/1', Counter)).toEqual({ count: 1 });
    });
  });

  describe('a transaction', () => {
    it('is applied at one revision, and every definition shows its part', async () => {
      await put('/counters/old', { count: 1 });
      await using app = await start();
      const { revision, visible } = await app.store.transaction((tx) => {
        tx.put('/counters/1', { count: 1 });
        tx.put('/owner', { name: 'me' });
        tx.delete('/counters/old');
        tx.delete('/defaulted');
      });

      expect(visible).toBe(true);
      expect(app.store.entry('/counters/1', Counter)).toMatchObject({ revision, value: { count: 1 } });
      expect(app.store.entry('/owner', Owner)).toMatchObject({ revision, value: { name: 'me' } });
      expect(app.store.keys('/counters/')).toEqual(['/counters/1']);
    });

    it('is not applied if one value is invalid or one condition does not hold', async () => {
      await put('/counters/1', { count: 1 });
      await using app = await start();
      const invalid = app.store.transaction((tx) => {
        tx.put('/counters/2', { count: 2 });
        tx.put('/owner', { name: 7 });
      });
      await expect(invalid).rejects.toMatchObject({ key: '/owner', violations: [{ path: 'name' }] });
      const conflict = (await app.store
        .transaction((tx) => {
          tx.put('/counters/2', { count: 2 }, { ifAbsent: true });
          tx.put('/counters/1', { count: 2 }, { ifAbsent: true });
        })
        .catch((error: unknown) => error)) as RevisionConflictError;

      expect(conflict).toBeInstanceOf(RevisionConflictError);
      expect(conflict).toMatchObject({ key: '/counters/1' });
      expect(conflict.current(Counter)).toEqual({ count: 1 });
      expect(inspect(conflict, { depth: Infinity, showHidden: true })).not.toContain('count:');
      expect(await etcd.direct.getAll().keys()).toEqual(['/counters/1']);
    });

    it.each([
      ['nothing', () => undefined, InvalidOptionsError, /it contains no write/],
      [
        'one key twice',
        (tx: Tx) => {
          tx.put('/owner', { name: 'a' });
          tx.delete('/owner');
        },
        InvalidOptionsError,
        /delete "\/owner" in a transaction: the transaction already writes the key/,
      ],
      [
        'what it says later',
        async (tx: Tx) => {
          await Promise.resolve();
          tx.delete('/owner');
        },
        InvalidOptionsError,
        /synchronously/,
      ],
      [
        'what nobody defined',
        (tx: Tx) => {
          tx.delete('/nowhere');
        },
        InvalidOptionsError,
        /delete "\/nowhere": no definition covers the key/,
      ],
      [
        '129 keys',
        (tx: Tx) => {
          for (let index = 0; index < 129; index += 1) tx.put(`/counters/${index}`, { count: index });
        },
        WriteError,
        /129 operations, etcd takes at most 128 \(limits.transactionOperations\); nothing was sent/,
      ],
      [
        'more than 1.5 MiB',
        (tx: Tx) => {
          for (const key of ['a', 'b', 'c', 'd']) tx.put(`/owners/${key}`, { name: 'x'.repeat(400_000) });
        },
        WriteError,
        /etcd takes at most 1572864 \(limits.requestBytes\); nothing was sent/,
      ],
    ])('is rejected before it is sent if it writes %s', async (_, build, kind, sentence) => {
      await using app = await start();
      const refused = app.store.transaction(build);

      await expect(refused).rejects.toThrow(kind);
      await expect(refused).rejects.toThrow(sentence);
      expect(await etcd.direct.getAll().keys()).toEqual([]);
    });
  });

  it('resolves if the write succeeded, even if readers do not see it for a long time', async () => {
    class Slow {
      @SlowlyChecked() count!: number;
    }
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ key: '/slow', type: Slow, codec: slowJson }] });
    passing = 1;
    const { visible, revision } = await app.store.put('/slow', { count: 1 });

    expect(visible).toBe(false);
    expect((await etcd.direct.get('/slow').exec()).kvs[0]).toMatchObject({ mod_revision: String(revision) });
    expect(await etcd.direct.get('/slow').string()).toBe('{"count":1}');
    // The validator ends within its own limit, or has used it up by now.
    release();
    passing = Infinity;
    await app.store.put('/slow', { count: 2 });
    expect(app.store.get('/slow', Slow)).toEqual({ count: 2 });
  });

  describe('a fresh read', () => {
    it('returns the writes of every client before the call, and the store shows them too', async () => {
      await using app = await start();
      for (let count = 1; count <= 50; count += 1) {
        await put('/counters/1', { count });
        expect(await app.store.fresh('/counters/1', Counter)).toEqual({ count });
        expect(app.store.get('/counters/1', Counter)).toEqual({ count });
      }
      await etcd.direct.delete().key('/counters/1');
      expect(await app.store.fresh('/counters/1', Counter)).toBeUndefined();
      await expect(app.store.fresh('/counters/1', Owner)).rejects.toThrow(InvalidOptionsError);
    });

    it('rejects rather than returning an old value', async () => {
      const proxy = await TcpProxy.start(etcd.first.clientPort);
      await using app = await start({ hosts: proxy.endpoint, requestTimeoutMs: 500 });
      await app.store.put('/counters/1', { count: 1 });
      proxy.freeze();

      await expect(app.store.fresh('/counters/1', Counter)).rejects.toThrow(ConnectionTimeoutError);
      expect(app.store.get('/counters/1', Counter)).toEqual({ count: 1 });
      proxy.stop();
    });
  });

  describe('history', () => {
    it('lists the values of a key, newest first, with violations of the current class and values before a deletion', async () => {
      await using app = await start();
      const first = await put('/counters/h', { count: 1 });
      const second = await put('/counters/h', { count: 'SECRET' });
      await put('/counters/other', { count: 9 });
      await etcd.direct.delete().key('/counters/h');
      const third = await put('/counters/h', { count: 3 });
      const history = await app.store.history('/counters/h', { type: Counter });

      expect(history).toEqual([
        { revision: third, value: { count: 3 } },
        { revision: second, value: undefined, violations: [{ path: 'count', constraints: ['isInt'] }] },
        { revision: first, value: { count: 1 } },
      ]);
      expect(history[0]?.value).toBeInstanceOf(Counter);
      expect(inspect(history, { depth: Infinity })).not.toContain('SECRET');
      expect(await app.store.history('/counters/h', { limit: 1 })).toMatchObject([{ revision: third }]);
      await etcd.direct.delete().key('/counters/h');
      expect(await app.store.history('/counters/h', { limit: 1 })).toMatchObject([{ revision: third }]);
      expect(await app.store.history('/counters/never')).toEqual([]);
      await expect(app.store.history('/counters/h', { limit: 0 })).rejects.toThrow(
        /limit must be an integer of at least 1/,
      );
    });

    it('lets the event loop run between the values', async () => {
      let turn = 0;
      const timer = setInterval(() => (turn += 1));
      const turns: number[] = [];
      const slow = {
        decode: () => {
          turns.push(turn);
          const until = performance.now() + 10;
          while (performance.now() < until);
          return { count: 1 };
        },
        encode: () => Buffer.from('x'),
      };
      await using app = await start({ configs: [{ key: '/slow', type: Counter, codec: slow }] });
      for (let count = 1; count <= 5; count += 1) await put('/slow', 'x');
      await eventually(() => turns.length === 5);

      expect(await app.store.history('/slow')).toHaveLength(5);
      clearInterval(timer);

      expect(new Set(turns.slice(5)).size).toBe(5);
    });

    it('ends at the compacted revision', async () => {
      await using app = await start();
      const revisions: number[] = [];
      for (let count = 1; count <= 5; count += 1) revisions.unshift(await put('/counters/c', { count }));
      await etcd.direct.kv.compact({ revision: String(revisions[2]) });
      const history = await app.store.history('/counters/c');

      expect(history.map(({ revision }) => revision)).toEqual(revisions.slice(0, 3));
    });

    it('can be rolled back to, also after a deletion', async () => {
      await using app = await start();
      const { revision } = await app.store.put('/counters/1', { count: 1 });
      await app.store.put('/counters/1', { count: 2 });
      expect(await app.store.rollback('/counters/1', revision)).toMatchObject({ visible: true });
      expect(app.store.get('/counters/1', Counter)).toEqual({ count: 1 });
      await app.store.delete('/counters/1');
      await app.store.rollback('/counters/1', revision);

      expect(app.store.get('/counters/1', Counter)).toEqual({ count: 1 });
    });

    it('cannot be rolled back to an invalid, compacted, future or absent value', async () => {
      await using app = await start();
      const compacted = await put('/counters/1', { count: 1 });
      const invalid = await put('/counters/1', { count: 'SECRET' });
      const elsewhere = await put('/counters/2', { count: 2 });
      await etcd.direct.kv.compact({ revision: String(invalid) });
      const failing = async (key: string, revision: number): Promise<Error> =>
        (await app.store.rollback(key, revision).catch((error: unknown) => error)) as Error;

      const refused = await failing('/counters/1', invalid);
      expect(refused).toBeInstanceOf(InvalidConfigError);
      expect(inspect(refused, { depth: Infinity, showHidden: true })).not.toContain('SECRET');
      for (const [key, revision, why] of [
        ['/counters/1', compacted, 'etcd has compacted the revision'],
        ['/counters/1', elsewhere + 100, 'the revision does not exist yet'],
        ['/counters/2', invalid, 'the key did not exist at that revision'],
      ] as const) {
        const error = await failing(key, revision);
        expect(error).toBeInstanceOf(RevisionUnavailableError);
        expect(error.message).toBe(`rollback "${key}" to revision ${revision}: ${why}`);
      }
      expect(await failing('/counters/1', 0.5)).toBeInstanceOf(InvalidOptionsError);
    });
  });

  it('rejects markers under the prefix of a definition', async () => {
    await expect(start({ outcomes: { prefix: '/counters/markers' } })).rejects.toThrow(
      /"outcomes.prefix" is under the prefix "\/counters\/" of a definition/,
    );
    await expect(start({ outcomes: { prefix: '' } })).rejects.toThrow(/"outcomes.prefix" must not be empty/);
  });
});

type Tx = Parameters<Parameters<Awaited<ReturnType<typeof startApp>>['store']['transaction']>[0]>[0];

/** Number of values that `SlowlyChecked` accepts immediately; the next ones wait for `release`. */
let passing = Infinity;
let release: () => void = () => undefined;

/**
 * JSON whose decoding needs seconds as soon as `SlowlyChecked` waits. Decoding has a limit of its own, so both together
 * last longer than a write waits for its readers.
 */
const slowJson: ConfigCodec = {
  decode: async (bytes) => {
    if (passing <= 0) await sleep(3_000);
    return JSON.parse(bytes.toString()) as object;
  },
  encode: (document) => Buffer.from(JSON.stringify(document)),
};

function SlowlyChecked(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'slowlyChecked',
      target: target.constructor,
      propertyName: String(propertyName),
      async: true,
      validator: {
        validate: async () => {
          passing -= 1;
          if (passing < 0) await new Promise<void>((resolve) => (release = resolve));
          return true;
        },
      },
    });
  };
}
