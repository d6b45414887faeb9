import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../lib/dto/deep-freeze.js';

class Pool {
  readonly hosts = ['a', 'b'];
  reads = 0;

  get first(): string | undefined {
    return this.hosts[0];
  }
}

describe('deepFreeze', () => {
  it('freezes plain data and class instances at every depth, including symbol keys and cycles', () => {
    const tag = Symbol('tag');
    const value = { pool: new Pool(), list: [{ a: 1 }], [tag]: { b: 2 }, self: undefined as unknown };
    value.self = value;

    expect(deepFreeze(value)).toEqual([]);

    expect([value, value.pool, value.pool.hosts, value.list, value.list[0], value[tag]].every(Object.isFrozen)).toBe(
      true,
    );
    expect(value.pool).toBeInstanceOf(Pool);
    expect(value.pool.first).toBe('a');
  });

  it('neither calls accessors nor freezes prototypes and functions', () => {
    let calls = 0;
    const act = (): void => undefined;
    const value = {
      act,
      get now(): number {
        calls += 1;
        return calls;
      },
      pool: new Pool(),
    };

    deepFreeze(value);

    expect(calls).toBe(0);
    expect([act, Pool.prototype, Object.prototype].some(Object.isFrozen)).toBe(false);
  });

  it('makes the mutators of Date, Map and Set throw, and freezes the contents of Maps and Sets', () => {
    const date = new Date(0);
    const map = new Map([[{ k: 1 }, { v: 1 }]]);
    const set = new Set([{ s: 1 }]);

    expect(deepFreeze({ date, map, set })).toEqual([]);

    for (const name of Object.getOwnPropertyNames(Date.prototype).filter((method) => method.startsWith('set'))) {
      const mutate = Reflect.get(date, name) as (value: number) => number;
      expect(() => mutate.call(date, 1)).toThrow(TypeError);
    }
    expect(() => map.set({ k: 2 }, { v: 2 })).toThrow(TypeError);
    expect(() => {
      map.clear();
    }).toThrow(TypeError);
    expect(() => set.add({ s: 2 })).toThrow(TypeError);
    expect(() => set.delete({ s: 2 })).toThrow(TypeError);
    expect([...map.keys(), ...map.values(), ...set].every(Object.isFrozen)).toBe(true);
    expect([date.getTime(), map.size, set.size, Object.keys(date), Object.keys(map)]).toEqual([0, 1, 1, [], []]);
  });

  it('returns the paths of values that cannot be frozen', () => {
    const value = {
      a: [Buffer.from('x')],
      m: new Map([['k', new Float64Array(1)]]),
      b: { c: new ArrayBuffer(1) },
      ok: 1,
    };

    expect([...deepFreeze(value)].sort()).toEqual(['a[0]', 'b.c', 'm.k']);
    expect(deepFreeze(Buffer.from('x'))).toEqual(['']);
  });

  it('accepts values that are already frozen', () => {
    const value = Object.freeze({ inner: { a: 1 }, date: new Date(0) });

    deepFreeze(value);
    deepFreeze(value);

    expect(Object.isFrozen(value.inner)).toBe(true);
    expect(() => value.date.setTime(1)).toThrow(TypeError);
  });

  it('changes no data and leaves nothing writable', () => {
    fc.assert(
      fc.property(fc.object({ withDate: true, withMap: true, withSet: true, withNullPrototype: true }), (value) => {
        const before = structuredClone(value);

        deepFreeze(value);

        expect(structuredClone(value)).toEqual(before);
        expect(writableParts(value)).toEqual([]);
      }),
    );
  });
});

function writableParts(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const parts: unknown[] =
    value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  return [...(Object.isFrozen(value) ? [] : [value]), ...parts.flatMap(writableParts)];
}
