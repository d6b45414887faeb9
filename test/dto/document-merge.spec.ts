import { describe, expect, it } from 'vitest';
import { documentOver, mergedDocument, originsIn, patchOf } from '../../lib/dto/document-merge.js';
import type { JsonObject } from '../../lib/dto/json-object.js';

describe('the merge of documents', () => {
  it('merges objects deeply, replaces every other value, and removes what is null', () => {
    expect(
      mergedDocument([
        { a: 1, pool: { max: 1, min: 0 }, list: [1, 2], leaf: 'x', object: { gone: 1 }, removed: 1 },
        { pool: { max: 2 }, list: [null], leaf: { now: 'object' }, object: 'leaf', removed: null, added: { b: null } },
        { object: { fresh: 1 } },
      ]),
    ).toEqual({
      a: 1,
      pool: { max: 2, min: 0 },
      list: [null],
      leaf: { now: 'object' },
      object: { fresh: 1 },
      added: {},
    });
  });

  // Appendix A of RFC 7396, without its cases of documents that are no objects.
  it.each<[JsonObject, JsonObject, JsonObject]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('follows RFC 7396: %j and %j', (target, patch, result) => {
    expect(mergedDocument([target, patch])).toEqual(result);
  });

  it('changes neither its parts nor the prototype of any object', () => {
    const parts = [
      { a: { b: 1 } },
      JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}') as JsonObject,
    ];
    const before = JSON.stringify(parts);
    const merged = mergedDocument(parts);

    expect(JSON.stringify(parts)).toBe(before);
    expect([Object.getPrototypeOf(merged), Object.getPrototypeOf(merged.a)]).toEqual([
      Object.prototype,
      Object.prototype,
    ]);
    expect('polluted' in {}).toBe(false);
  });

  it('knows the part of each property, also where a part has reset an object', () => {
    const parts = [
      { origin: 'one', document: { pool: { max: 1, min: 1 }, tls: { cert: 'c' }, list: [1], empty: {} } },
      { origin: 'two', document: { pool: { min: 2 }, tls: null, 'a.b': 1 } },
      { origin: 'three', document: { tls: { key: 'k' }, empty: {} } },
    ];
    const whole = mergedDocument(parts.map(({ document }) => document as JsonObject));

    expect(Object.fromEntries(originsIn(whole, parts as { origin: string; document: JsonObject }[]))).toEqual({
      'pool.max': 'one',
      'pool.min': 'two',
      'tls.key': 'three',
      list: 'one',
      empty: 'three',
      '["a.b"]': 'two',
    });
  });
});

describe('the document of one layer', () => {
  it('results in what is wanted, whatever it and the layers below contain', () => {
    const random = generator(7);
    for (let round = 0; round < 2_000; round += 1) {
      const below = mergedDocument([documentOf(random)]);
      const own = documentOf(random);
      const wanted = mergedDocument([documentOf(random)]);

      expect(mergedDocument([below, documentOver(below, own, wanted)])).toEqual(wanted);
      expect(mergedDocument([below, patchOf(below, wanted)])).toEqual(wanted);
    }
  });

  it('keeps what it has, and adds only what differs', () => {
    const below = { host: 'a', port: 1, pool: { max: 1, min: 1 } };
    const own = { port: 1, note: 'kept', pool: { max: 5 }, gone: 1 };
    const wanted = { host: 'a', port: 1, note: 'kept', pool: { max: 7 } };

    expect(documentOver(below, own, wanted)).toEqual({ port: 1, note: 'kept', pool: { max: 7, min: null } });
  });
});

/** A linear congruential generator: the same documents in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

function documentOf(random: (below: number) => number, depth = 0): JsonObject {
  const names = ['a', 'b', 'c'].filter(() => random(3) > 0);
  return Object.fromEntries(names.map((name) => [name, valueOf(random, depth)]));
}

function valueOf(random: (below: number) => number, depth: number): unknown {
  const kind = random(depth > 2 ? 4 : 6);
  return kind === 0 ? null : kind === 1 ? [random(2)] : kind < 4 ? random(3) : documentOf(random, depth + 1);
}
