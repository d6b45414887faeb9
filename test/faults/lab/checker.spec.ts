import { describe, expect, it } from 'vitest';
import { HistoryChecker } from './checker.js';
import { differenceBetween, within } from './difference.js';
import type { Change, Entry, SeenEvent, SeenNotice } from './listener-history.js';
import { inRevisionOrder } from './key-order.js';
import { Random } from './random.js';
import { applyTo, StoreHistory } from './store-history.js';
import { CheckResult } from './check-result.js';

const includes = (key: string): boolean => key.startsWith('/in/');
const HEAD = 80;

/** Returns a store with 80 revisions of up to four keys each, some of them outside the range. */
function randomStoreHistory(): StoreHistory {
  const random = new Random(7);
  const storeHistory = new StoreHistory();
  storeHistory.begin(0, new Map());
  for (let revision = 1; revision <= HEAD; revision += 1) {
    const state = storeHistory.current.stateAt(revision - 1);
    const keys = new Set(Array.from({ length: random.int(1, 4) }, () => `/in/${random.int(0, 9)}`));
    if (random.percent(10)) keys.clear();
    const changes = [...keys].map((key) => write(state.get(key), key, revision, random.percent(25)));
    const written = changes.filter((change) => change !== undefined);
    storeHistory.current.append(revision, [
      ...written,
      write(undefined, `/out/${revision}`, revision, false) as Change,
    ]);
  }
  return storeHistory;
}

function write(before: Change | undefined, key: string, revision: number, deletes: boolean): Change | undefined {
  if (deletes) {
    const gone = { value: undefined, createRevision: 0, version: 0, lease: undefined };
    return before && { type: 'delete', key, revision, ...gone };
  }
  const createRevision = before?.createRevision ?? revision;
  const version = (before?.version ?? 0) + 1;
  return { type: 'put', key, value: `v${revision}`, revision, createRevision, version, lease: undefined };
}

/** Returns the history of a listener without errors: from a list, or from the first revision on. */
function correctHistory(storeHistory: StoreHistory, from: 'list' | number = 1): Entry[] {
  const known = new Map<string, Change>();
  const deliver = (change: Change, origin: SeenEvent['origin']): Entry => {
    const { type, key, value, revision, createRevision, version, lease } = change;
    const previous = known.get(key)?.value;
    applyTo(known, [change]);
    const event = { type, key, value, previous, revision, origin, details: { createRevision, version, lease } };
    return { kind: 'event', event };
  };
  const begin = from === 'list' ? 20 : from - 1;
  const contents = [...within(storeHistory.incarnation(0).stateAt(begin), includes).values()];
  const initial = from === 'list' ? contents.map((change) => deliver(change, 'initial')) : [];
  return [...initial, ...changesFrom(storeHistory, begin + 1).map((change) => deliver(change, 'live'))];
}

const changesFrom = (storeHistory: StoreHistory, first: number, last = HEAD): Change[] =>
  Array.from({ length: last - first + 1 }, (_, index) => storeHistory.incarnation(0).changesAt(first + index))
    .flat()
    .filter(({ key }) => includes(key));

function check(storeHistory: StoreHistory, entries: readonly Entry[], begin: 'list' | number = 1): CheckResult {
  const checker = new HistoryChecker({ name: 'listener', includes, begin, incarnation: 0 }, storeHistory);
  for (const entry of entries) checker.check(entry);
  checker.finish(HEAD, storeHistory.current.stateAt(HEAD));
  return checker.result;
}

const revisionOf = (entry: Entry): number => (entry.kind === 'event' ? entry.event.revision : 0);

const kindsOf = ({ violations }: CheckResult): string[] => [...new Set(violations.map(({ kind }) => kind))];

const edited = (entry: Entry | undefined, change: Partial<SeenEvent>): Entry => {
  if (entry?.kind !== 'event') throw new Error('the entry is not an event');
  return { kind: 'event', event: { ...entry.event, ...change } };
};

/** Returns a history in which a resync replaces revisions 41 to 60. */
function withResync(storeHistory: StoreHistory, notice: Partial<SeenNotice> = {}): Entry[] {
  const before = correctHistory(storeHistory).filter((entry) => entry.kind === 'event' && entry.event.revision <= 40);
  const known = within(storeHistory.current.stateAt(40), includes);
  const contents = within(storeHistory.current.stateAt(60), includes);
  const difference = [...differenceBetween(known, contents, 60).values()].map((change): Entry => {
    const previous = known.get(change.key)?.value;
    return { kind: 'event', event: { ...change, previous, origin: 'resync' } };
  });
  const after = correctHistory(storeHistory).filter((entry) => entry.kind === 'event' && entry.event.revision > 60);
  const reported: SeenNotice = { fromRevision: 41, toRevision: 60, reason: 'compacted', ...notice };
  return [...before, { kind: 'notice', notice: reported }, ...difference, ...after];
}

const compactedAt = (revision: number): Entry => ({ kind: 'loss', loss: { kind: 'compacted', revision } });
/** Index of an entry that is neither near the start nor near the end. */
const MIDDLE = 60;

describe('the checker of histories', () => {
  const storeHistory = randomStoreHistory();

  it('accepts the history of a listener without errors', () => {
    const fromTheStart = check(storeHistory, correctHistory(storeHistory));
    const fromAList = check(storeHistory, correctHistory(storeHistory, 'list'), 'list');
    const resynced = check(storeHistory, [compactedAt(55), ...withResync(storeHistory)]);

    for (const result of [fromTheStart, fromAList, resynced]) expect(result.violations).toEqual([]);
    expect(fromTheStart.delivered).toBe(changesFrom(storeHistory, 1).length);
    expect([resynced.resyncsExpected, resynced.resyncsReported]).toEqual([1, 1]);
  });

  it('refuses a history with any one event dropped, and names it', () => {
    const history = correctHistory(storeHistory);
    history.forEach((entry, index) => {
      if (entry.kind !== 'event') return;
      const { violations } = check(storeHistory, history.toSpliced(index, 1));

      const { revision, key } = entry.event;
      expect(violations.map(({ message }) => message)).toContain(
        `missed: listener: revision ${revision} of "${key}" was not delivered`,
      );
    });
  });

  it('refuses a history with any one event doubled, and names it', () => {
    const history = correctHistory(storeHistory);
    history.forEach((entry, index) => {
      if (entry.kind !== 'event') return;
      const { violations } = check(storeHistory, history.toSpliced(index, 0, entry));

      const { revision, key } = entry.event;
      expect(violations[0]?.message).toContain(
        `duplicate: listener: revision ${revision} of "${key}" was delivered again`,
      );
    });
  });

  it('refuses a history with any two neighbours of different revisions swapped', () => {
    const history = correctHistory(storeHistory);
    for (let index = 1; index < history.length; index += 1) {
      const [first, second] = [history[index - 1], history[index]];
      if (first?.kind !== 'event' || second?.kind !== 'event') continue;
      if (first.event.revision === second.event.revision) continue;
      const result = check(storeHistory, history.toSpliced(index - 1, 2, second, first));

      expect(result.count('out of order') + result.count('torn')).toBeGreaterThan(0);
    }
  });

  it('refuses a revision that is torn: given in two parts, or in a batch that lacks a key', () => {
    const revision = Array.from({ length: HEAD }, (_, index) => index + 1).find(
      (each) => changesFrom(storeHistory, each, each).length > 2,
    );
    const history = correctHistory(storeHistory);
    const at = history.findIndex((entry) => entry.kind === 'event' && entry.event.revision === revision);
    const [removed] = history.splice(at, 1);
    const later = history.findIndex((entry) => entry.kind === 'event' && entry.event.revision > Number(revision));
    const inTwoParts = check(storeHistory, removed ? history.toSpliced(later + 1, 0, removed) : []);
    const batches = [...new Set(history.map(revisionOf))].map((each): Entry => {
      const events = history.flatMap((entry) =>
        entry.kind === 'event' && revisionOf(entry) === each ? [entry.event] : [],
      );
      return { kind: 'batch', revision: each, events };
    });
    const inBatches = check(storeHistory, batches);

    expect(kindsOf(inTwoParts)).toContain('torn');
    expect(inBatches.violations[0]?.message).toMatch(
      `torn: listener: revision ${revision} was delivered without 1 of its keys`,
    );
  });

  it.each([
    ['another value', { value: 'other' }, 'wrong event'],
    ['another type', { type: 'delete' }, 'wrong event'],
    ['another version', { details: { createRevision: 1, version: 99, lease: undefined } }, 'wrong event'],
    ['another previous value', { previous: 'other' }, 'wrong previous'],
    ['a key that was not written', { key: '/in/none' }, 'never written'],
    ['a revision that does not exist', { revision: 1_000 }, 'never written'],
  ] as const)('refuses an event with %s', (_, change, kind) => {
    const history = correctHistory(storeHistory);

    expect(kindsOf(check(storeHistory, history.with(MIDDLE, edited(history[MIDDLE], change))))).toContain(kind);
  });

  it('refuses a first list with a gap to what follows, one that lacks a key, and one that has a key too many', () => {
    const history = correctHistory(storeHistory, 'list');
    const firstLive = history.findIndex((entry) => entry.kind === 'event' && entry.event.origin === 'live');

    expect(kindsOf(check(storeHistory, history.toSpliced(firstLive, 1), 'list'))).not.toEqual([]);
    expect(kindsOf(check(storeHistory, history.toSpliced(0, 1), 'list'))).toContain('missed');
    expect(kindsOf(check(storeHistory, [edited(history[0], { key: '/in/none' }), ...history], 'list'))).toContain(
      'never written',
    );
  });

  it('refuses a resync that nothing called for', () => {
    const result = check(storeHistory, withResync(storeHistory));

    expect(result.violations.map(({ message }) => message)).toEqual([
      'unnecessary resync: listener: from 41 to 60 (compacted), although no history was lost',
    ]);
    expect(kindsOf(check(storeHistory, [compactedAt(40), ...withResync(storeHistory)]))).toEqual([
      'unnecessary resync',
    ]);
  });

  it('refuses a resync with a wrong reason', () => {
    const history = [compactedAt(55), ...withResync(storeHistory, { reason: 'restored' })];

    expect(kindsOf(check(storeHistory, history))).toEqual(['unnecessary resync']);
  });

  it('refuses lost history that no resync declares', () => {
    const withoutNotice = withResync(storeHistory).filter(
      (entry) => entry.kind === 'event' && entry.event.origin === 'live',
    );
    const result = check(storeHistory, [compactedAt(55), ...withoutNotice]);

    expect(kindsOf(result)).toEqual(expect.arrayContaining(['unannounced resync', 'missed']));
    expect([result.resyncsExpected, result.resyncsReported]).toEqual([1, 0]);
  });

  it('refuses a resync that leaves something out of its difference, or out of what came before it', () => {
    const history = [compactedAt(55), ...withResync(storeHistory)];
    const resync = history.findIndex((entry) => entry.kind === 'event' && entry.event.origin === 'resync');
    const late = withResync(storeHistory, { fromRevision: 45 });

    expect(kindsOf(check(storeHistory, history.toSpliced(resync, 1)))).toContain('missed');
    expect(kindsOf(check(storeHistory, [compactedAt(55), ...late]))).toContain('missed');
  });

  it('refuses a listener whose events lead to a state that differs from etcd', () => {
    const checker = new HistoryChecker({ name: 'listener', includes, begin: 1, incarnation: 0 }, storeHistory);
    for (const entry of correctHistory(storeHistory)) checker.check(entry);
    const contents = storeHistory.current.stateAt(HEAD);
    contents.delete([...within(contents, includes).keys()][0] ?? '');
    checker.finish(HEAD, contents);

    expect(kindsOf(checker.result)).toEqual(['wrong state']);
  });

  it('follows a listener into a replaced store, and refuses one without a notice', () => {
    const replaced = randomStoreHistory();
    const incarnation = replaced.begin(30, replaced.current.stateAt(30));
    replaced.current.append(31, [write(undefined, '/in/new', 31, false) as Change]);
    const known = within(replaced.incarnation(0).stateAt(HEAD), includes);
    const contents = within(replaced.current.stateAt(31), includes);
    const difference = [...differenceBetween(known, contents, 31).values()].map((change): Entry => ({
      kind: 'event',
      event: { ...change, previous: known.get(change.key)?.value, origin: 'resync' },
    }));
    const notice: Entry = { kind: 'notice', notice: { fromRevision: HEAD + 1, toRevision: 31, reason: 'restored' } };
    const loss: Entry = { kind: 'loss', loss: { kind: 'replaced', incarnation } };
    const resultOf = (entries: readonly Entry[]): CheckResult => {
      const checker = new HistoryChecker({ name: 'listener', includes, begin: 1, incarnation: 0 }, replaced);
      for (const entry of entries) checker.check(entry);
      checker.finish(31, contents);
      return checker.result;
    };

    const withNotice = resultOf([...correctHistory(replaced), loss, notice, ...difference]);
    const withoutNotice = resultOf([...correctHistory(replaced), loss]);

    expect([withNotice.violations, withNotice.resyncsExpected, withNotice.resyncsReported]).toEqual([[], 1, 1]);
    expect(kindsOf(withoutNotice)).toContain('unannounced resync');
  });

  it('checks only the order of each key for a concurrent handler', () => {
    const history = correctHistory(storeHistory);
    const keyOf = (entry: Entry | undefined): string => (entry?.kind === 'event' ? entry.event.key : '');
    const other = history.findIndex((entry, index) => index > MIDDLE && keyOf(entry) !== keyOf(history[MIDDLE]));
    const same = history.findIndex((entry, index) => index > MIDDLE && keyOf(entry) === keyOf(history[MIDDLE]));
    const moved = (to: number): Entry[] => {
      const [entry] = history.slice(MIDDLE, MIDDLE + 1);
      return entry ? history.toSpliced(MIDDLE, 1).toSpliced(to, 0, entry) : [];
    };
    const kindsAfter = (entries: readonly Entry[]): string[] => {
      const result = new CheckResult('listener');
      const sorted = inRevisionOrder(entries, result);
      return [...kindsOf(result), ...kindsOf(check(storeHistory, sorted))];
    };

    expect(kindsAfter(moved(other))).toEqual([]);
    expect(kindsAfter(moved(same))).toEqual(['out of order']);
  });
});
