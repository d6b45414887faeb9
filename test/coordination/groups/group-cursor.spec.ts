import { describe, expect, it } from 'vitest';
import {
  claimedCursor,
  type GroupCursor,
  includesPosition,
  isHandled,
  parseCursor,
  poisonOf,
  positionOf,
  rangesOf,
  shortened,
  serializeCursor,
} from '../../../lib/coordination/groups/group-cursor.js';

const STAMP = { by: 'me/1', at: 5 };
const cursorAt = (cursor: Partial<GroupCursor> = {}): GroupCursor => ({
  r: 9,
  done: [],
  stalls: 0,
  cluster: 'c',
  ...cursor,
});

describe('the cursor of a partition', () => {
  it('is read as it was written', () => {
    const cursor = cursorAt({
      phase: 'resync',
      after: '\xff\x00k',
      base: { r: 3, done: [] },
      done: ['12/1/abc'],
      stalls: 2,
      trying: ['13/0'],
    });
    expect(parseCursor(serializeCursor(cursor, STAMP))).toEqual({
      cursor: { ...cursor, suspects: undefined, was: undefined, released: undefined, interrupted: undefined },
      ...STAMP,
    });
  });

  it.each(['', '{}', '[]', '{"v":2,"r":1,"done":[]}', '{"v":1,"r":"1","done":[]}', '{"v":1,"r":1,"done":[1]}'])(
    'is not read from %s',
    (text) => {
      expect(parseCursor(Buffer.from(text))).toBe(undefined);
    },
  );

  it('begins at its own revision with "now"', () => {
    expect(claimedCursor(cursorAt({ r: 0, phase: 'now', released: true }), 77)).toEqual(cursorAt({ r: 77 }));
    const initial = cursorAt({ r: 0, phase: 'initial' });
    expect(claimedCursor({ ...initial, released: true }, 77)).toEqual({ ...initial, r: 77 });
  });

  it('counts no stall after a graceful release', () => {
    expect(claimedCursor(cursorAt({ released: true, trying: ['1/0'], suspects: ['1/0'] }), 1).stalls).toBe(0);
  });

  it('parks exactly the event at which five owners have died', () => {
    let cursor = cursorAt();
    const die = (trying: string[]) => {
      cursor = claimedCursor({ ...cursor, trying }, 1);
    };
    die([]);
    die(['10/0', '11/0', '12/0']);
    die(['11/0', '12/0']);
    expect(cursor).toMatchObject({ stalls: 2, suspects: ['11/0', '12/0'] });
    die(['12/0', '11/0']);
    die(['11/0']);
    expect(poisonOf(cursor)).toEqual([]);
    die(['11/0']);
    expect([cursor.stalls, poisonOf(cursor)]).toEqual([5, ['11/0']]);
  });

  it('names all events of a batch at which the owners have died', () => {
    expect(poisonOf({ r: 10, done: [], stalls: 5, suspects: ['11/0/a', '11/1/b'], cluster: '' })).toEqual([
      '11/0/a',
      '11/1/b',
    ]);
  });

  it('parks nothing when owners die idle, or at different events', () => {
    let cursor = cursorAt();
    for (let death = 0; death < 10; death += 1) cursor = claimedCursor(cursor, 1);
    expect(cursor.stalls).toBe(1);
    for (let death = 0; death < 10; death += 1) cursor = claimedCursor({ ...cursor, trying: [`${death}/0`] }, 1);
    expect(cursor.stalls).toBe(1);
  });

  it('recognizes handled events in a list', () => {
    const progress = { r: 4, done: [positionOf(5, 0, 1, 'a'), positionOf(6, 1, 2, 'b')] };
    const writes: [number, string][] = [
      [4, 'x'],
      [5, 'a'],
      [6, 'b'],
      [6, 'a'],
      [7, 'a'],
    ];
    const handled = writes.map(([revision, key]) => isHandled(progress, revision, key));
    expect(handled).toEqual([true, true, true, false, false]);
  });

  it('contains the events of a revision up to the last one that is named', () => {
    const positions = Array.from({ length: 300 }, (_, index) => positionOf(5, 2 * index, 600, `k${index}`));
    const done = [...shortened(positions), '6/0', '=k7'];
    expect(done).toEqual(['5/..598', '6/0', '=k7']);
    const events = ['5/0/a', '5/598/b', '5/599/c', '6/0', '6/1/a', '=k7', '=k8'];
    const included = [true, true, false, true, false, true, false];
    expect(events.map((position) => includesPosition(done, position))).toEqual(included);
    expect(rangesOf(['5/..7', '5/..3']).get(5)).toBe(7);
    expect(isHandled({ r: 4, done }, 5, 'k0')).toBe(false);
  });

  it('knows in a list what was handled before it', () => {
    const base = { r: 4, done: ['6/0'] };
    const progress = { phase: 'resync', r: 9, after: 'k', done: ['=m', '10/0'], base } as const;
    const handled = (revision: number, key: string) => isHandled(progress, revision, key);
    expect([handled(9, 'k'), handled(4, 'z'), handled(6, 'z'), handled(9, 'm')]).toEqual([true, true, true, true]);
    expect([handled(7, 'z'), handled(11, 'm'), handled(10, 'm')]).toEqual([false, false, true]);
    expect(isHandled({ phase: 'initial', r: 9, done: [] }, 1, 'a')).toBe(false);
  });
});
