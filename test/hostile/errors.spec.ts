import { inspect } from 'node:util';
import { Transform } from 'class-transformer';
import { Allow, IsInt, IsOptional, registerDecorator } from 'class-validator';
import {
  type ConfigDefinition,
  InvalidConfigError,
  OnWatchError,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { CANARY, STRANGE } from '../support/strange-errors.js';

/** Throws the value with the given number. */
function throwStrange(index: unknown): void {
  if (typeof index === 'number' && index < STRANGE.length) throw STRANGE[index]?.[1];
}

const indexOf = (key: string): number => Number(key.split('/').at(-1));

const isNumber = { validate: (value: unknown): boolean => (throwStrange(value), typeof value === 'number') };

function Throwing({ isAsync }: { readonly isAsync: boolean }): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'throwing',
      async: isAsync,
      target: target.constructor,
      propertyName: String(propertyName),
      validator: isAsync ? { validate: async (value) => isNumber.validate(await Promise.resolve(value)) } : isNumber,
    });
  };
}

class Validated {
  @Throwing({ isAsync: false }) n!: number;
}
class ValidatedLater {
  @Throwing({ isAsync: true }) n!: number;
}
class Transformed {
  @Transform(({ value }: { value: unknown }) => (throwStrange(value), value)) @IsInt() n!: number;
}
class Decoded {
  @IsOptional() @Allow() n?: number;
}

const CONFIGS: ConfigDefinition[] = [
  { prefix: '/validator/', type: Validated },
  { prefix: '/async/', type: ValidatedLater },
  { prefix: '/transform/', type: Transformed },
  {
    prefix: '/codec/',
    type: Decoded,
    codec: {
      decode: (bytes) => {
        const document = JSON.parse(bytes.toString()) as { n: unknown };
        throwStrange(document.n);
        return document;
      },
      encode: (document) => Buffer.from(JSON.stringify(document)),
    },
  },
];

class Orders {
  readonly received: number[] = [];
  readonly failed: number[] = [];

  @WatchKey('/orders/', { initial: false })
  onOrder({ key }: WatchEvent): void {
    this.received.push(indexOf(key));
    throwStrange(indexOf(key));
  }

  @OnWatchError('/orders/')
  onError({ event }: { readonly event: WatchEvent }): void {
    this.failed.push(indexOf(event.key));
    throwStrange(indexOf(event.key));
  }
}

const ALL = [...STRANGE.keys(), STRANGE.length];

describe('errors of unusual shape', () => {
  const etcd = ownEtcd();

  it('thrown by handlers and listeners cost none of them an event', async () => {
    const logger = new CollectingLogger();
    const received: Record<string, number[]> = { watch: [], rejects: [], observe: [], onChange: [], changes$: [] };
    const take =
      (name: string) =>
      ({ key }: { readonly key: string }): void => {
        received[name]?.push(indexOf(key));
        throwStrange(indexOf(key));
      };
    await using started = await startApp(
      { hosts: etcd.hosts, logger, configs: [{ prefix: '/orders/', type: Decoded }] },
      { providers: [Orders] },
    );
    const { app, watcher, store } = started;
    await watcher.watch('/orders/', take('watch'));
    await watcher.watch('/orders/', async (event) => Promise.resolve(event).then(take('rejects')));
    watcher.observe('/orders/').subscribe(take('observe'));
    store.onChange('/orders/', take('onChange'));
    store.changes$('/orders/').subscribe(take('changes$'));

    for (const index of ALL) await etcd.put(`/orders/${index}`, { n: index });
    const orders = app.get(Orders);
    await eventually(() => [...Object.values(received), orders.received].every(({ length }) => length >= ALL.length));

    const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
    for (const name of Object.keys(received)) expect([name, sorted(received[name] ?? [])]).toEqual([name, ALL]);
    expect(sorted(orders.received)).toEqual(ALL);
    expect(sorted(orders.failed)).toEqual(ALL.slice(0, -1));
    expect(store.get(`/orders/${STRANGE.length}`, Decoded)).toEqual({ n: STRANGE.length });
    expect(logger.text).not.toContain(CANARY);
  });

  it.each([
    ['a validator', '/validator/', Validated, 'n: validator'],
    ['an asynchronous validator', '/async/', ValidatedLater, 'validator'],
    ['a transformation', '/transform/', Transformed, 'transform'],
    ['a codec', '/codec/', Decoded, 'codec'],
  ])('thrown by %s reject the value, and the next good value is shown', async (_, prefix, type, constraint) => {
    const logger = new CollectingLogger();
    const good = { n: STRANGE.length };
    const entries = ALL.map((index) => [`${prefix}${index}`, { n: index }] as const);
    await etcd.putTogether(Object.fromEntries(entries));
    await using started = await startApp({ hosts: etcd.hosts, configs: CONFIGS, logger });
    const { store } = started;
    const stateOf = (key: string): string => {
      const { state, violations } = store.entry<{ n?: number }>(key, type);
      return violations?.map(({ path, constraints }) => `${path}: ${constraints.join()}`).join() ?? state;
    };
    const expected = constraint.includes(':') ? constraint : `: ${constraint}`;

    expect(entries.map(([key]) => stateOf(key))).toEqual(
      ALL.map((index) => (index < STRANGE.length ? expected : 'valid')),
    );
    await store.waitForRevision(await etcd.putTogether(Object.fromEntries(entries.map(([key]) => [key, good]))));
    expect(entries.map(([key]) => store.get<{ n?: number }>(key, type))).toEqual(entries.map(() => good));

    await store.waitForRevision(await etcd.putTogether(Object.fromEntries(entries)));
    expect(entries.map(([key]) => store.get<{ n?: number }>(key, type))).toEqual(entries.map(() => good));
    const outcomes = await Promise.all(
      ALL.slice(0, -1).map((index) =>
        store.put(`${prefix}new-${index}`, { n: index }).catch((error: unknown) => error),
      ),
    );
    expect(outcomes.filter((outcome) => !(outcome instanceof InvalidConfigError))).toEqual([]);
    expect(logger.text + inspect(outcomes)).not.toContain(CANARY);
  });
});
