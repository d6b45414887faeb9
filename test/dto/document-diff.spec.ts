import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedPaths } from '../../lib/dto/document-diff.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const PLAIN = { maxKeys: 4, noNullPrototype: true };
const name = fc.constantFrom('a', 'b', 'size', 'a b', '0', 'a.b', 'x[0]', '"');
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Json>(null, true, 0, 1, '', 'sesame'),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(name, tie('json'), PLAIN),
  ),
}));
const document = fc.dictionary(name, json, PLAIN);
/** Often similar, like a document and its next version. */
const pair = fc.oneof(
  fc.tuple(document, document),
  fc.tuple(document, name, json).map(([before, at, value]) => [before, { ...before, [at]: value }] as const),
);

describe('the changed paths of two documents', () => {
  it('name the smallest parts that were added, removed or replaced, in a fixed order', () => {
    const before = { pool: { hosts: [{ port: 1 }, { port: 2 }], size: 3 }, old: { x: 1 }, same: [1], kind: [] };
    const after = {
      kind: {},
      same: [1],
      pool: { size: 4, hosts: [{ port: 1 }, { port: 7, name: 'x' }, {}] },
      fresh: null,
    };

    expect(changedPaths(before, after)).toEqual([
      'fresh',
      'kind',
      'old',
      'pool.hosts[1].name',
      'pool.hosts[1].port',
      'pool.hosts[2]',
      'pool.size',
    ]);
    expect(changedPaths(undefined, after)).toEqual(['']);
    expect(changedPaths({ 'a b': 1 }, { 'a b': 2 })).toEqual(['["a b"]']);
  });

  it('name an array instead of more than 100 parts of it, as after an insertion at its beginning', () => {
    const items = Array.from({ length: 200 }, (_, id) => ({ id, tags: ['a'] }));
    const changed = items.map((item, at) => (at < 100 ? { ...item, tags: ['b'] } : item));
    const retagged = [{ id: 0, tags: Array.from({ length: 101 }, () => 'c') }, ...items.slice(1)];

    expect(changedPaths({ a: 1, items, z: 1 }, { a: 2, items: [{ id: -1 }, ...items], z: 2 })).toEqual([
      'a',
      'items',
      'z',
    ]);
    expect(changedPaths({ items }, { items: changed })).toHaveLength(100);
    expect(changedPaths({ items }, { items: retagged })).toEqual(['items[0].tags']);
  });

  it('are empty only if both are equal, and do not depend on the order of the properties or of the documents', () => {
    fc.assert(
      fc.property(pair, ([before, after]) => {
        const paths = changedPaths(before, after);

        expect(paths.length === 0).toBe(isDeepStrictEqual(before, after));
        expect(changedPaths(after, before)).toEqual(paths);
        expect(changedPaths(turned(before), turned(after))).toEqual(paths);
      }),
    );
  });

  it('are exactly the parts to copy from the second document to turn the first into it', () => {
    fc.assert(
      fc.property(pair, ([before, after]) => {
        const paths = changedPaths(before, after);

        expect(takenOver(before, after, paths)).toEqual(after);
        for (const left of paths) {
          expect(
            takenOver(
              before,
              after,
              paths.filter((path) => path !== left),
            ),
          ).not.toEqual(after);
        }
      }),
    );
  });

  it('hold no value', () => {
    fc.assert(
      fc.property(pair, ([before, after]) => {
        expect(changedPaths(before, after).join()).not.toContain('sesame');
      }),
    );
  });
});

/** Returns a copy with all properties in reverse order. */
function turned(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(turned);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([at, item]) => [at, turned(item)]),
  );
}

/** Returns a copy of `before` with the parts of `after` at the paths. */
function takenOver(before: Json, after: Json, paths: readonly string[]): Json {
  const copy = structuredClone(before);
  const removed: (() => unknown)[] = [];
  for (const path of paths) {
    const steps = Array.from(path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|[^.[\]]+/g), ([text, quoted, index]) =>
      quoted === undefined ? (index ?? text) : (JSON.parse(`"${quoted}"`) as string),
    );
    const last = steps.pop() ?? '';
    const value = stepInto(steps.reduce<Json | undefined>(stepInto, after), last);
    const to = steps.reduce<Json | undefined>(stepInto, copy) as Record<string, Json>;
    if (value !== undefined) to[last] = value;
    else removed.unshift(() => (Array.isArray(to) ? to.splice(Number(last), 1) : Reflect.deleteProperty(to, last)));
  }
  // From the end, so that removing an item does not move the remaining paths.
  for (const remove of removed) remove();
  return copy;
}

const stepInto = (value: Json | undefined, step: string): Json | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<string, Json>)[step] : undefined;
