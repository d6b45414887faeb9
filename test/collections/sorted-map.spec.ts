import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedMap } from '../../lib/collections/sorted-map.js';

const sorted = (model: ReadonlyMap<string, number>, prefix = ''): [string, number][] =>
  [...model].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));

describe('SortedMap', () => {
  it('behaves like a map that is sorted and filtered for each query, and so does every view', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\uFFFD', '😀'), maxLength: 5 });
    const step = fc.record({ act: fc.constantFrom('set', 'delete', 'view'), key, value: fc.nat(3) });

    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), key, (steps, prefix) => {
        const map = new SortedMap<number>();
        const model = new Map<string, number>();
        const views: [ReturnType<typeof map.view>, [string, number][]][] = [];

        for (const { act, key: at, value } of steps) {
          if (act === 'view') {
            views.push([map.view(), sorted(model)]);
          } else if (act === 'set') {
            expect(map.set(at, value)).toBe(!model.has(at));
            model.set(at, value);
          } else {
            expect(map.delete(at)).toBe(model.delete(at));
          }
          expect(map.get(at)).toBe(model.get(at));
        }

        expect(map.size).toBe(model.size);
        expect(map.entries(prefix)).toEqual(sorted(model, prefix));
        expect(map.keys(prefix)).toEqual(sorted(model, prefix).map(([at]) => at));
        for (const [view, entries] of views) expect([view.size, view.entries()]).toEqual([entries.length, entries]);
      }),
    );
  });

  it('returns the same view until the map changes', () => {
    const map = new SortedMap<number>();
    map.set('a', 1);
    const view = map.view();

    map.set('a', 1);
    map.delete('b');

    expect(map.view()).toBe(view);
    map.set('a', 2);
    expect(map.view()).not.toBe(view);
    expect([view.get('a'), map.view().get('a')]).toEqual([1, 2]);
  });

  it('stays in order while chunks fill, split, shrink and merge, and views do not change', () => {
    const map = new SortedMap<number>();
    const model = new Map<string, number>();
    const views: [ReturnType<typeof map.view>, [string, number][]][] = [];
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);

    for (let step = 0; step < 60_000; step += 1) {
      const key = `/k/${random() % 20_000}`;
      if (step >= 30_000 && random() % 5) {
        model.delete(key);
        map.delete(key);
      } else {
        model.set(key, step);
        map.set(key, step);
      }
      if (step % 6_000 === 0) views.push([map.view(), sorted(model)]);
    }

    expect(map.entries()).toEqual(sorted(model));
    expect(map.keys('/k/19')).toEqual(sorted(model, '/k/19').map(([key]) => key));
    for (const key of model.keys()) map.delete(key);
    expect([map.size, map.keys()]).toEqual([0, []]);
    for (const [view, entries] of views) expect(view.entries()).toEqual(entries);
  });
});
