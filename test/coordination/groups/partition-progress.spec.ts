import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type GroupCursor,
  keyPosition,
  parseCursor,
  positionOf,
  serializeCursor,
} from '../../../lib/coordination/groups/group-cursor.js';
import { PartitionProgress, ProgressEntry } from '../../../lib/coordination/groups/partition-progress.js';

const cursorAt = (cursor: Partial<GroupCursor>): GroupCursor => ({ r: 0, done: [], stalls: 0, cluster: '', ...cursor });

/** The cursor as the next owner reads it. */
const parsed = (cursor: GroupCursor): GroupCursor => {
  const stored = parseCursor(serializeCursor(cursor, { by: 'a/1', at: 0 }));
  if (!stored) throw new Error('the cursor cannot be read');
  return stored.cursor;
};

interface Event {
  readonly position: string;
  readonly revision: number;
}

/** Revisions from 1 on with one to three events each. */
const eventsOf = (sizes: readonly number[]): Event[] =>
  sizes.flatMap((size, index) =>
    Array.from({ length: size }, (_, at): Event => ({
      position: positionOf(index + 1, at, size, `k${at}`),
      revision: index + 1,
    })),
  );
const history = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 40 }).map(eventsOf);

describe('the progress of a partition', () => {
  it('loses no event and repeats no finished one, whatever finishes before the owner changes', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat({ max: 99 })), (events, random) => {
        const next = () => Number(random.next().value);
        const handled: string[] = [];
        let cursor = cursorAt({});
        for (let owner = 0; owner < 50; owner += 1) {
          const progress = new PartitionProgress(cursor);
          const open: [Event, ProgressEntry][] = [];
          const received = events.filter(({ revision }) => revision > cursor.r);
          const upTo = owner === 49 ? Infinity : (received[next() % (received.length + 1)]?.revision ?? Infinity);
          for (const event of received.filter(({ revision }) => revision <= upTo)) {
            const entry = progress.add(new ProgressEntry([event], event.revision));
            if (!entry.isFinished) open.push([event, entry]);
          }
          progress.seen(Math.min(upTo, events.at(-1)?.revision ?? 0));
          while (open.length > 0 && (owner === 49 || next() % 4 > 0)) {
            const [[event, entry] = []] = open.splice(next() % open.length, 1);
            if (!event || !entry) throw new Error('unreachable');
            handled.push(event.position);
            expect(progress.snapshot(new Set([entry]))).toEqual((progress.finish(entry), progress.snapshot()));
          }
          cursor = cursorAt(progress.snapshot());
        }
        expect(handled.sort()).toEqual(events.map(({ position }) => position).sort());
        expect(cursor).toMatchObject({ r: events.at(-1)?.revision, done: [] });
      }),
    );
  });

  it('names few of the finished events of one revision, however many it has, and repeats none of them', () => {
    const events = eventsOf([2, 5_000, 2]);
    const handled: string[] = [];
    let cursor = cursorAt({});
    for (let owner = 0; handled.length < events.length; owner += 1) {
      const progress = new PartitionProgress(parsed(cursor));
      const received = events.filter(({ revision }) => revision > cursor.r);
      const entries = received.map((event) => progress.add(new ProgressEntry([event], event.revision)));
      progress.seen(3);
      const open = entries.filter(({ isFinished }) => !isFinished);
      for (let first = 0; first < 600 + owner; first += 200) {
        for (const entry of open.slice(first, first + 200).reverse()) {
          handled.push(...entry.positions);
          progress.finish(entry);
          expect(progress.snapshot().done.length).toBeLessThan(512);
        }
      }
      cursor = cursorAt(progress.snapshot());
    }
    expect(handled.sort()).toEqual(events.map(({ position }) => position).sort());
    expect(cursor).toMatchObject({ r: 3, done: [] });
  });

  it('handles each key of a list once, in any order, whatever finishes before the owner changes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), fc.infiniteStream(fc.nat({ max: 99 })), (count, random) => {
        const next = () => Number(random.next().value);
        const keys = Array.from({ length: count }, (_, index) => `k${String(index).padStart(2, '0')}`);
        const handled: string[] = [];
        let cursor = cursorAt({ r: 7, phase: 'initial' });
        for (let owner = 0; owner < 20 && cursor.phase; owner += 1) {
          const progress = new PartitionProgress(cursor);
          const open: ProgressEntry[] = [];
          for (const key of keys.filter((each) => each > (cursor.after ?? ''))) {
            const entry = progress.add(new ProgressEntry([{ position: keyPosition(key) }], 7, key));
            if (!entry.isFinished) open.push(entry);
          }
          expect(progress.snapshot().phase).toBe('initial');
          progress.listed();
          while (open.length > 0 && (owner === 19 || next() % 4 > 0)) {
            const [entry] = open.splice(next() % open.length, 1);
            if (!entry) throw new Error('unreachable');
            handled.push(...entry.positions);
            progress.finish(entry);
          }
          cursor = cursorAt(progress.snapshot());
        }
        expect(cursor).toEqual(cursorAt({ r: 7 }));
        expect(handled.sort()).toEqual(keys.map(keyPosition));
      }),
    );
  });

  it('keeps a position of the stored cursor until the event is received again', () => {
    const progress = new PartitionProgress(cursorAt({ r: 10, done: ['15/0'] }));
    progress.seen(12);
    expect(progress.snapshot()).toEqual({ r: 12, done: ['15/0'] });
    expect(progress.add(new ProgressEntry([{ position: '15/0' }], 15)).isFinished).toBe(true);
    progress.seen(15);
    expect(progress.snapshot()).toEqual({ r: 15, done: [] });
  });

  it('keeps no key of a list after the list', () => {
    const stored = cursorAt({ r: 7, phase: 'initial', after: 'a', done: [keyPosition('c'), '9/0'] });
    const progress = new PartitionProgress(stored);
    const entry = progress.add(new ProgressEntry([{ position: keyPosition('b') }], 7, 'b'));
    progress.listed();
    expect(progress.snapshot().done).toEqual([keyPosition('c'), '9/0']);
    expect(progress.snapshot(new Set([entry]))).toEqual({ r: 7, done: ['9/0'] });
    progress.finish(entry);
    expect(progress.snapshot()).toEqual({ r: 7, done: ['9/0'] });
  });

  it('stays in a phase while an event after the list is finished', () => {
    const progress = new PartitionProgress(cursorAt({ r: 7, phase: 'resync', base: { r: 3, done: [] } }));
    const key = progress.add(new ProgressEntry([{ position: keyPosition('a') }], 7, 'a'));
    progress.listed();
    progress.finish(progress.add(new ProgressEntry([{ position: '8/0' }], 8)));
    progress.seen(8);
    expect(progress.snapshot()).toEqual({
      phase: 'resync',
      r: 7,
      base: { r: 3, done: [] },
      done: ['8/0'],
      after: '',
    });
    progress.finish(key);
    expect(progress.snapshot()).toEqual({ r: 8, done: [] });
  });

  it('looks at the window only, however many events wait', () => {
    const progress = new PartitionProgress(cursorAt({}));
    const entries = Array.from({ length: 50_000 }, (_, index) =>
      progress.add(new ProgressEntry([{ position: `${index + 1}/0` }], index + 1)),
    );
    for (const entry of entries) {
      progress.finish(entry);
      expect(progress.snapshot().done).toHaveLength(0);
    }
    expect(progress.isIdle).toBe(true);
  });
});
