import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigCache, type ConfigCacheOptions, type ParsedBatch } from '../../../lib/store/cache/config-cache.js';
import { now, type ParsedChange, parsedPut } from '../../../lib/store/cache/cache-entry.js';

interface Value {
  readonly n: number;
}

const VIOLATIONS = [{ path: 'n', constraints: ['isInt'] }];

const good = (key: string, n: number, revision: number, text = JSON.stringify({ n })): ParsedChange<Value> =>
  parsedPut(
    { key, revision, bytes: Buffer.from(text) },
    { ok: true, value: Object.freeze({ n }), stripped: [] },
    undefined,
    now(),
  );
const bad = (key: string, revision: number): ParsedChange<Value> =>
  parsedPut(
    { key, revision, bytes: Buffer.from('{"n":"x"}') },
    { ok: false, violations: VIOLATIONS },
    undefined,
    now(),
  );
const gone = (key: string, revision: number): ParsedChange<Value> => ({ state: 'deleted', key, revision });
const live = (...changes: ParsedChange<Value>[]): ParsedBatch<Value> => ({ origin: 'live', changes });

const cacheOf = (options: Partial<ConfigCacheOptions<Value>> = {}): ConfigCache<Value> =>
  new ConfigCache({ onDelete: 'remove', documentOf: ({ bytes }) => JSON.parse(String(bytes)) as unknown, ...options });

const fallback = { key: 'a', value: Object.freeze({ n: 0 }), bytes: Buffer.from('{"n":0}') };

describe('the last good value', () => {
  it('is the value that readers see: a put changes it, a delete removes it', () => {
    const cache = cacheOf();

    const first = cache.apply({ origin: 'initial', changes: [good('a', 1, 5), good('b', 2, 6)] });
    const value = cache.get('a');
    const second = cache.apply(live(good('a', 3, 7), gone('b', 7)));

    expect(first.changes).toEqual([
      { type: 'put', key: 'a', value: { n: 1 }, changedPaths: [''], revision: 5, origin: 'initial' },
      { type: 'put', key: 'b', value: { n: 2 }, changedPaths: [''], revision: 6, origin: 'initial' },
    ]);
    expect(second.changes).toEqual([
      { type: 'put', key: 'a', value: { n: 3 }, previous: { n: 1 }, changedPaths: ['n'], revision: 7, origin: 'live' },
      { type: 'delete', key: 'b', previous: { n: 2 }, changedPaths: [''], revision: 7, origin: 'live' },
    ]);
    expect(second.changes[0]?.previous).toBe(value);
    expect(cache.entry('a')).toEqual({ value: { n: 3 }, state: 'valid', revision: 7, source: 'etcd' });
    expect(cache.entry('b')).toEqual({ value: undefined, state: 'absent', revision: 0, source: 'etcd' });
  });

  it('stays after a rejected value, which is reported once until the next valid value', () => {
    const cache = cacheOf();
    cache.apply(live(good('a', 1, 5)));
    const value = cache.get('a');

    const refused = cache.apply(live(bad('a', 6)));
    const again = cache.apply({ origin: 'resync', changes: [bad('a', 6)] });
    const quarantined = cache.entry('a');
    const healed = cache.apply(live(good('a', 2, 7)));

    expect(refused).toMatchObject({
      changes: [],
      rejected: [{ key: 'a', revision: 6, violations: VIOLATIONS }],
      healed: [],
    });
    expect(again.rejected).toEqual([]);
    expect(quarantined).toEqual({
      value: { n: 1 },
      state: 'invalid',
      revision: 5,
      rejectedRevision: 6,
      source: 'etcd',
      violations: VIOLATIONS,
    });
    expect(quarantined.value).toBe(value);
    expect(healed).toMatchObject({ changes: [{ value: { n: 2 }, previous: { n: 1 } }], rejected: [], healed: ['a'] });
    expect(cache.entry('a')).toEqual({ value: { n: 2 }, state: 'valid', revision: 7, source: 'etcd' });
  });

  it('is undefined if the first value is rejected; the key is then known but not listed', () => {
    const cache = cacheOf();

    cache.apply(live(bad('a', 6)));

    expect(cache.entry('a')).toMatchObject({ value: undefined, state: 'invalid', revision: 0, rejectedRevision: 6 });
    expect([cache.keys(), cache.knownKeys(), cache.headRevision('a')]).toEqual([[], ['a'], 6]);
    expect(cache.apply(live(gone('a', 7))).changes).toEqual([]);
    expect(cache.knownKeys()).toEqual([]);
  });

  it('keeps its identity while the document stays equal, and no listener is called', () => {
    const cache = cacheOf();
    cache.apply(live(good('a', 1, 5)));
    const value = cache.get('a');

    const same = cache.apply(live(good('a', 1, 6), good('a', 1, 7, ' { "n" : 1.0 } ')));
    cache.apply(live(bad('a', 8)));
    const healed = cache.apply(live(good('a', 1, 9)));

    expect([same.changes, healed.changes, healed.healed]).toEqual([[], [], ['a']]);
    expect(cache.get('a')).toBe(value);
    expect(cache.entry('a').revision).toBe(9);
  });

  it('stays after a delete with keep-last, and is replaced by the next value', () => {
    const cache = cacheOf({ onDelete: 'keep-last' });
    cache.apply(live(good('a', 1, 5), bad('b', 5)));

    const deleted = cache.apply(live(gone('a', 6), gone('b', 6)));

    expect(deleted.changes).toEqual([]);
    expect(cache.entry('a')).toEqual({ value: { n: 1 }, state: 'kept', revision: 5, source: 'etcd' });
    expect(cache.entry('b').state).toBe('absent');
    expect(cache.headRevision('a')).toBe(0);
    expect(cache.apply(live(good('a', 2, 8))).changes).toMatchObject([{ value: { n: 2 }, previous: { n: 1 } }]);
  });
});

describe('an offline snapshot', () => {
  const kept = (key: string, n: number, revision: number) => ({
    key,
    revision,
    bytes: Buffer.from(JSON.stringify({ n })),
    value: Object.freeze({ n }),
  });

  it('is visible until etcd has listed the key; an equal value in etcd changes nothing for readers', () => {
    const cache = cacheOf();
    const shown = cache.restore([kept('a', 1, 5), kept('b', 1, 5)], false);
    const value = cache.get('a');
    expect(shown.changes).toMatchObject([{ type: 'put', key: 'a', origin: 'initial' }, { key: 'b' }]);
    expect(cache.entry('a')).toEqual({ value: { n: 1 }, state: 'valid', revision: 5, source: 'snapshot' });

    const listed = cache.apply({ origin: 'resync', changes: [good('a', 1, 7), gone('b', 8)] });

    expect(listed.changes).toEqual([
      { type: 'delete', key: 'b', previous: { n: 1 }, changedPaths: [''], revision: 8, origin: 'resync' },
    ]);
    expect(cache.entry('a')).toEqual({ value: { n: 1 }, state: 'valid', revision: 7, source: 'etcd' });
    expect(cache.get('a')).toBe(value);
  });

  it('provides a last good value for keys that are invalid in etcd, but not for valid or absent ones', () => {
    const cache = cacheOf();
    cache.apply({ origin: 'initial', changes: [bad('a', 9), good('b', 2, 8)] });

    const step = cache.restore([kept('a', 1, 5), kept('b', 1, 5), kept('c', 1, 5)], true);

    expect(step.changes).toMatchObject([{ type: 'put', key: 'a', value: { n: 1 } }]);
    expect(cache.entry('a')).toMatchObject({
      value: { n: 1 },
      state: 'invalid',
      revision: 5,
      rejectedRevision: 9,
      source: 'snapshot',
    });
    expect([step.rejected, cache.headRevision('a'), cache.get('b'), cache.keys()]).toEqual([
      [],
      9,
      { n: 2 },
      ['a', 'b'],
    ]);
    expect(cache.apply(live(good('a', 3, 10))).healed).toEqual(['a']);
  });

  it('keeps deleted values with keep-last', () => {
    const cache = cacheOf({ onDelete: 'keep-last' });

    cache.restore([kept('a', 1, 5)], true);

    expect(cache.entry('a')).toEqual({ value: { n: 1 }, state: 'kept', revision: 5, source: 'snapshot' });
    expect(cache.headRevision('a')).toBe(0);
  });

  it('of another cluster leaves no last good value behind', () => {
    const cache = cacheOf({ onDelete: 'keep-last' });
    cache.restore([kept('a', 1, 5), kept('b', 1, 5), kept('c', 1, 5)], false);

    const step = cache.apply({
      origin: 'resync',
      isForeign: true,
      changes: [bad('a', 2), good('b', 2, 2), gone('c', 3)],
    });

    expect(step.changes.map(({ type, key }) => `${type} ${key}`)).toEqual(['delete a', 'put b', 'delete c']);
    expect(cache.entry('a')).toMatchObject({ value: undefined, state: 'invalid', revision: 0, rejectedRevision: 2 });
    expect(cache.keys()).toEqual(['b']);
  });

  it('contains the documents that readers see, without defaults', () => {
    const cache = cacheOf({ fallback, onDelete: 'keep-last' });
    cache.apply(live(good('b', 1, 1), good('c', 1, 1), bad('d', 1)));
    cache.apply(live(bad('b', 2), gone('c', 2)));

    expect(cache.documents().map(({ key, revision, bytes }) => [key, revision, bytes.toString()])).toEqual([
      ['b', 1, '{"n":1}'],
      ['c', 1, '{"n":1}'],
    ]);
  });
});

describe('a default', () => {
  it('is visible and listed while the key is absent, before and after a value', () => {
    const cache = cacheOf({ fallback });
    const shown = { value: { n: 0 }, state: 'absent', revision: 0, source: 'default' };
    expect([cache.entry('a'), cache.keys()]).toEqual([shown, ['a']]);

    const put = cache.apply(live(good('a', 1, 5)));
    const deleted = cache.apply(live(gone('a', 6)));

    expect(put.changes).toMatchObject([{ type: 'put', value: { n: 1 }, previous: { n: 0 } }]);
    expect(deleted.changes).toMatchObject([{ type: 'put', value: { n: 0 }, previous: { n: 1 }, revision: 6 }]);
    expect(cache.entry('a')).toEqual(shown);
  });

  it('that equals the deleted value changes nothing for readers', () => {
    const cache = cacheOf({ fallback });
    cache.apply(live(good('a', 1, 5), good('a', 0, 6)));
    const value = cache.get('a');

    expect(cache.apply(live(gone('a', 7))).changes).toEqual([]);

    expect(cache.get('a')).toBe(value);
    expect(cache.entry('a')).toMatchObject({ state: 'absent', source: 'default' });
  });

  it('is visible while the only value is rejected, and is not a last good value', () => {
    const cache = cacheOf({ fallback, onDelete: 'keep-last' });

    cache.apply(live(bad('a', 5)));
    expect(cache.entry('a')).toMatchObject({
      value: { n: 0 },
      state: 'invalid',
      source: 'default',
      rejectedRevision: 5,
    });
    cache.apply(live(gone('a', 6)));

    expect(cache.entry('a')).toMatchObject({ value: { n: 0 }, state: 'absent', source: 'default' });
  });
});

describe('the cache as a whole', () => {
  it('lists the keys and values of a prefix, sorted', () => {
    const cache = cacheOf();
    cache.apply(live(good('/b/2', 2, 1), good('/a', 0, 1), bad('/b/x', 1), good('/b/1', 1, 1)));

    expect(cache.keys()).toEqual(['/a', '/b/1', '/b/2']);
    expect(cache.keys('/b/')).toEqual(['/b/1', '/b/2']);
    expect([...cache.entries('/b/')]).toEqual([
      ['/b/1', { n: 1 }],
      ['/b/2', { n: 2 }],
    ]);
  });

  it('reports in its changes exactly the values that readers see, for any sequence of batches', () => {
    const change = fc
      .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('good', 'bad', 'gone'), fc.integer({ min: 0, max: 2 }))
      .map(
        ([key, kind, n]) =>
          (revision: number): ParsedChange<Value> =>
            kind === 'good' ? good(key, n, revision) : kind === 'bad' ? bad(key, revision) : gone(key, revision),
      );
    const options = fc.record({
      onDelete: fc.constantFrom('remove' as const, 'keep-last' as const),
      fallback: fc.constantFrom(undefined, fallback),
    });

    fc.assert(
      fc.property(options, fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 20 }), (given, batches) => {
        const cache = cacheOf(given);
        const reported = new Map(cache.entries());

        batches.forEach((batch, index) => {
          const before = cache.view();
          const shown = cache.entries();
          const { changes } = cache.apply(live(...batch.map((at) => at(index + 1))));
          for (const { type, key, value, previous, changedPaths } of changes) {
            expect(previous).toBe(reported.get(key));
            expect(value).not.toEqual(previous);
            expect(changedPaths).toEqual(value && previous ? ['n'] : ['']);
            if (type === 'put') reported.set(key, value);
            else reported.delete(key);
          }
          expect(new Map(before.entries())).toEqual(shown);
          expect(cache.view() === before).toBe(changes.length === 0);
          expect(cache.keys()).toEqual([...reported.keys()].sort());
          for (const [key, value] of reported) expect(cache.get(key)).toBe(value);
        });
      }),
    );
  });
});
