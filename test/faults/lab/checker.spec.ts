import { describe, expect, it } from 'vitest';
import { HistoryChecker } from './checker.js';
import { differenceBetween, within } from './difference.js';
import type { Change, Entry, SeenEvent, SeenNotice } from './history.js';
import { inRevisionOrder } from './key-order.js';
import { Random } from './random.js';
import { applyTo, Truth } from './truth.js';
import { Verdict } from './verdict.js';

const includes = (key: string): boolean => key.startsWith('/in/');
const HEAD = 80;

/** A store that lived through 80 revisions of up to four keys each, some of them outside the range. */
function randomTruth(): Truth {
  const random = new Random(7);
  const truth = new Truth();
  truth.begin(0, new Map());
  for (let revision = 1; revision <= HEAD; revision += 1) {
    const state = truth.current.stateAt(revision - 1);
    const keys = new Set(Array.from({ length: random.int(1, 4) }, () => `/in/${random.int(0, 9)}`));
    if (random.percent(10)) keys.clear();
    const changes = [...keys].map((key) => write(state.get(key), key, revision, random.percent(25)));
    const written = changes.filter((change) => change !== undefined);
    truth.current.append(revision, [...written, write(undefined, `/out/${revision}`, revision, false) as Change]);
  }
  return truth;
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

/** What a faultless listener would be given: from a list, or from the first revision on. */
function faultless(truth: Truth, from: 'list' | number = 1): Entry[] {
  const known = new Map<string, Change>();
  const give = (change: Change, origin: SeenEvent['origin']): Entry => {
    const { type, key, value, revision, createRevision, version, lease } = change;
    const previous = known.get(key)?.value;
    applyTo(known, [change]);
    const event = { type, key, value, previous, revision, origin, details: { createRevision, version, lease } };
    return { kind: 'event', event };
  };
  const begin = from === 'list' ? 20 : from - 1;
  const held = [...within(truth.past(0).stateAt(begin), includes).values()];
  const initial = from === 'list' ? held.map((change) => give(change, 'initial')) : [];
  return [...initial, ...changesFrom(truth, begin + 1).map((change) => give(change, 'live'))];
}

const changesFrom = (truth: Truth, first: number, last = HEAD): Change[] =>
  Array.from({ length: last - first + 1 }, (_, index) => truth.past(0).changesAt(first + index))
    .flat()
    .filter(({ key }) => includes(key));

function judge(truth: Truth, entries: readonly Entry[], begin: 'list' | number = 1): Verdict {
  const checker = new HistoryChecker({ name: 'listener', includes, begin, past: 0 }, truth);
  for (const entry of entries) checker.take(entry);
  checker.settle(HEAD, truth.current.stateAt(HEAD));
  return checker.verdict;
}

const revisionOf = (entry: Entry): number => (entry.kind === 'event' ? entry.event.revision : 0);

const kindsOf = ({ violations }: Verdict): string[] => [...new Set(violations.map(({ kind }) => kind))];

const edited = (entry: Entry | undefined, change: Partial<SeenEvent>): Entry => {
  if (entry?.kind !== 'event') throw new Error('that is no event');
  return { kind: 'event', event: { ...entry.event, ...change } };
};

/** Without revisions 41 to 60, which a resync stands for. */
function withResync(truth: Truth, notice: Partial<SeenNotice> = {}): Entry[] {
  const before = faultless(truth).filter((entry) => entry.kind === 'event' && entry.event.revision <= 40);
  const known = within(truth.current.stateAt(40), includes);
  const held = within(truth.current.stateAt(60), includes);
  const difference = [...differenceBetween(known, held, 60).values()].map((change): Entry => {
    const previous = known.get(change.key)?.value;
    return { kind: 'event', event: { ...change, previous, origin: 'resync' } };
  });
  const after = faultless(truth).filter((entry) => entry.kind === 'event' && entry.event.revision > 60);
  const given: SeenNotice = { fromRevision: 41, toRevision: 60, reason: 'compacted', ...notice };
  return [...before, { kind: 'notice', notice: given }, ...difference, ...after];
}

const compactedAt = (revision: number): Entry => ({ kind: 'loss', loss: { kind: 'compacted', revision } });
/** Where an entry that must not be the first or the last of anything is taken from. */
const MIDDLE = 60;

describe('the checker of histories', () => {
  const truth = randomTruth();

  it('finds nothing wrong with what a faultless listener is given', () => {
    const fromTheStart = judge(truth, faultless(truth));
    const fromAList = judge(truth, faultless(truth, 'list'), 'list');
    const resynced = judge(truth, [compactedAt(55), ...withResync(truth)]);

    for (const verdict of [fromTheStart, fromAList, resynced]) expect(verdict.violations).toEqual([]);
    expect(fromTheStart.delivered).toBe(changesFrom(truth, 1).length);
    expect([resynced.resyncsNeeded, resynced.resyncsGiven]).toEqual([1, 1]);
  });

  it('refuses a history with any one event dropped, and names it', () => {
    const history = faultless(truth);
    history.forEach((entry, index) => {
      if (entry.kind !== 'event') return;
      const { violations } = judge(truth, history.toSpliced(index, 1));

      const { revision, key } = entry.event;
      expect(violations.map(({ message }) => message)).toContain(
        `missed: listener: revision ${revision} of "${key}" never came`,
      );
    });
  });

  it('refuses a history with any one event doubled, and names it', () => {
    const history = faultless(truth);
    history.forEach((entry, index) => {
      if (entry.kind !== 'event') return;
      const { violations } = judge(truth, history.toSpliced(index, 0, entry));

      const { revision, key } = entry.event;
      expect(violations[0]?.message).toContain(`repeated: listener: revision ${revision} of "${key}" came again`);
    });
  });

  it('refuses a history with any two neighbours of different revisions swapped', () => {
    const history = faultless(truth);
    for (let index = 1; index < history.length; index += 1) {
      const [first, second] = [history[index - 1], history[index]];
      if (first?.kind !== 'event' || second?.kind !== 'event') continue;
      if (first.event.revision === second.event.revision) continue;
      const verdict = judge(truth, history.toSpliced(index - 1, 2, second, first));

      expect(verdict.count('disordered') + verdict.count('torn')).toBeGreaterThan(0);
    }
  });

  it('refuses a revision that is torn: given in two parts, or in a batch that lacks a key', () => {
    const revision = Array.from({ length: HEAD }, (_, index) => index + 1).find(
      (each) => changesFrom(truth, each, each).length > 2,
    );
    const history = faultless(truth);
    const at = history.findIndex((entry) => entry.kind === 'event' && entry.event.revision === revision);
    const [part] = history.splice(at, 1);
    const later = history.findIndex((entry) => entry.kind === 'event' && entry.event.revision > Number(revision));
    const inTwoParts = judge(truth, part ? history.toSpliced(later + 1, 0, part) : []);
    const batches = [...new Set(history.map(revisionOf))].map((each): Entry => {
      const events = history.flatMap((entry) =>
        entry.kind === 'event' && revisionOf(entry) === each ? [entry.event] : [],
      );
      return { kind: 'batch', revision: each, events };
    });
    const inBatches = judge(truth, batches);

    expect(kindsOf(inTwoParts)).toContain('torn');
    expect(inBatches.violations[0]?.message).toMatch(`torn: listener: revision ${revision} came without 1 of its keys`);
  });

  it.each([
    ['another value', { value: 'other' }, 'wrong event'],
    ['another type', { type: 'delete' }, 'wrong event'],
    ['another version', { details: { createRevision: 1, version: 99, lease: undefined } }, 'wrong event'],
    ['another previous value', { previous: 'other' }, 'wrong previous'],
    ['a key that was not written', { key: '/in/none' }, 'invented'],
    ['a revision that there was not', { revision: 1_000 }, 'invented'],
  ] as const)('refuses an event with %s', (_, change, kind) => {
    const history = faultless(truth);

    expect(kindsOf(judge(truth, history.with(MIDDLE, edited(history[MIDDLE], change))))).toContain(kind);
  });

  it('refuses a first list with a gap to what follows, one that lacks a key, and one that has a key too many', () => {
    const history = faultless(truth, 'list');
    const firstLive = history.findIndex((entry) => entry.kind === 'event' && entry.event.origin === 'live');

    expect(kindsOf(judge(truth, history.toSpliced(firstLive, 1), 'list'))).not.toEqual([]);
    expect(kindsOf(judge(truth, history.toSpliced(0, 1), 'list'))).toContain('missed');
    expect(kindsOf(judge(truth, [edited(history[0], { key: '/in/none' }), ...history], 'list'))).toContain('invented');
  });

  it('refuses a resync that nothing called for', () => {
    const verdict = judge(truth, withResync(truth));

    expect(verdict.violations.map(({ message }) => message)).toEqual([
      'unneeded resync: listener: from 41 to 60 (compacted), which nothing called for',
    ]);
    expect(kindsOf(judge(truth, [compactedAt(40), ...withResync(truth)]))).toEqual(['unneeded resync']);
  });

  it('refuses a resync for another reason than the true one', () => {
    const history = [compactedAt(55), ...withResync(truth, { reason: 'restored' })];

    expect(kindsOf(judge(truth, history))).toEqual(['unneeded resync']);
  });

  it('refuses lost history that no resync declares', () => {
    const silently = withResync(truth).filter((entry) => entry.kind === 'event' && entry.event.origin === 'live');
    const verdict = judge(truth, [compactedAt(55), ...silently]);

    expect(kindsOf(verdict)).toEqual(expect.arrayContaining(['undeclared resync', 'missed']));
    expect([verdict.resyncsNeeded, verdict.resyncsGiven]).toEqual([1, 0]);
  });

  it('refuses a resync that leaves something out of its difference, or out of what came before it', () => {
    const history = [compactedAt(55), ...withResync(truth)];
    const resync = history.findIndex((entry) => entry.kind === 'event' && entry.event.origin === 'resync');
    const late = withResync(truth, { fromRevision: 45 });

    expect(kindsOf(judge(truth, history.toSpliced(resync, 1)))).toContain('missed');
    expect(kindsOf(judge(truth, [compactedAt(55), ...late]))).toContain('missed');
  });

  it('refuses a listener whose events do not make what etcd holds', () => {
    const checker = new HistoryChecker({ name: 'listener', includes, begin: 1, past: 0 }, truth);
    for (const entry of faultless(truth)) checker.take(entry);
    const held = truth.current.stateAt(HEAD);
    held.delete([...within(held, includes).keys()][0] ?? '');
    checker.settle(HEAD, held);

    expect(kindsOf(checker.verdict)).toEqual(['wrong state']);
  });

  it('follows a listener into a store that was replaced, and refuses one that was not told', () => {
    const replaced = randomTruth();
    const past = replaced.begin(30, replaced.current.stateAt(30));
    replaced.current.append(31, [write(undefined, '/in/new', 31, false) as Change]);
    const known = within(replaced.past(0).stateAt(HEAD), includes);
    const held = within(replaced.current.stateAt(31), includes);
    const difference = [...differenceBetween(known, held, 31).values()].map((change): Entry => ({
      kind: 'event',
      event: { ...change, previous: known.get(change.key)?.value, origin: 'resync' },
    }));
    const notice: Entry = { kind: 'notice', notice: { fromRevision: HEAD + 1, toRevision: 31, reason: 'restored' } };
    const loss: Entry = { kind: 'loss', loss: { kind: 'replaced', past } };
    const verdictOf = (entries: readonly Entry[]): Verdict => {
      const checker = new HistoryChecker({ name: 'listener', includes, begin: 1, past: 0 }, replaced);
      for (const entry of entries) checker.take(entry);
      checker.settle(31, held);
      return checker.verdict;
    };

    const told = verdictOf([...faultless(replaced), loss, notice, ...difference]);
    const untold = verdictOf([...faultless(replaced), loss]);

    expect([told.violations, told.resyncsNeeded, told.resyncsGiven]).toEqual([[], 1, 1]);
    expect(kindsOf(untold)).toContain('undeclared resync');
  });

  it('holds a handler that works on several keys at once to the order of each key', () => {
    const history = faultless(truth);
    const keyOf = (entry: Entry | undefined): string => (entry?.kind === 'event' ? entry.event.key : '');
    const other = history.findIndex((entry, index) => index > MIDDLE && keyOf(entry) !== keyOf(history[MIDDLE]));
    const same = history.findIndex((entry, index) => index > MIDDLE && keyOf(entry) === keyOf(history[MIDDLE]));
    const moved = (to: number): Entry[] => {
      const [entry] = history.slice(MIDDLE, MIDDLE + 1);
      return entry ? history.toSpliced(MIDDLE, 1).toSpliced(to, 0, entry) : [];
    };
    const kindsAfter = (entries: readonly Entry[]): string[] => {
      const verdict = new Verdict('listener');
      const sorted = inRevisionOrder(entries, verdict);
      return [...kindsOf(verdict), ...kindsOf(judge(truth, sorted))];
    };

    expect(kindsAfter(moved(other))).toEqual([]);
    expect(kindsAfter(moved(same))).toEqual(['disordered']);
  });
});
