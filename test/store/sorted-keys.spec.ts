import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedKeys } from '../../lib/store/sorted-keys.js';

describe('SortedKeys', () => {
  it('behaves like a set that is sorted and filtered on every question', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\uFFFD', '😀'), maxLength: 5 });
    const step = fc.record({ act: fc.constantFrom('add' as const, 'delete' as const), key });

    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), key, (steps, prefix) => {
        const keys = new SortedKeys();
        const model = new Set<string>();

        for (const { act, key: at } of steps) {
          const changes = act === 'add' ? !model.has(at) : model.has(at);
          model[act](at);
          expect(keys[act](at)).toBe(changes);
        }

        expect(keys.size).toBe(model.size);
        expect(keys.startingWith(prefix)).toEqual([...model].filter((at) => at.startsWith(prefix)).sort());
      }),
    );
  });

  it('stays in order over many chunks that fill, split, shrink and merge', () => {
    const keys = new SortedKeys();
    const model = new Set<string>();
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);

    for (let step = 0; step < 60_000; step += 1) {
      const key = `/k/${random() % 20_000}`;
      const act = step < 30_000 ? 'add' : random() % 5 ? 'delete' : 'add';
      model[act](key);
      keys[act](key);
    }

    expect(keys.startingWith('')).toEqual([...model].sort());
    expect(keys.startingWith('/k/19')).toEqual([...model].filter((key) => key.startsWith('/k/19')).sort());
    for (const key of model) keys.delete(key);
    expect([keys.size, keys.startingWith('')]).toEqual([0, []]);
  });

  it('takes a million keys one by one, with questions in between, within seconds', () => {
    const keys = new SortedKeys();
    const started = performance.now();

    for (let step = 0; step < 1_000_000; step += 1) {
      keys.add(`/k/${(step * 7_919) % 1_000_003}`);
      if (step % 100 === 0) keys.startingWith('/k/99999');
    }

    expect(keys.size).toBe(1_000_000);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
