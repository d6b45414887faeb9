import { describe, expect, it } from 'vitest';
import type { KeyValueStore, Transaction, TransactionResult } from '../../../lib/backend/key-value-store.js';
import { CursorWriter } from '../../../lib/coordination/groups/cursor-writer.js';
import type { GroupCursor } from '../../../lib/coordination/groups/group-cursor.js';
import { UnknownOutcomeError } from '../../../lib/etcd-trigger.errors.js';
import { ownClaim } from '../own-claim.js';

const CURSOR_KEY = '/cursor';
const cursorAt = (r: number): GroupCursor => ({ r, done: [], stalls: 0, cluster: '' });

/**
 * - `lost`: the request is applied, and its answer is lost.
 * - `delayed`: the request is applied after the next one.
 * - `never`: the request never arrives.
 */
type Fault = 'lost' | 'delayed' | 'never' | undefined;

async function start() {
  const own = await ownClaim();
  const { revision } = own.fake.put(CURSOR_KEY, { v: 1, ...cursorAt(0), by: 'other/1', at: 0 });
  const faults: Fault[] = [];
  let delayed: (() => Promise<unknown>) | undefined;
  const keyValue: KeyValueStore = {
    get: own.keyValue.get.bind(own.keyValue),
    commit: async (transaction: Transaction): Promise<TransactionResult> => {
      const fault = faults.shift();
      const late = delayed;
      delayed = undefined;
      if (fault === 'delayed') delayed = () => own.keyValue.commit(transaction);
      const result = fault === 'delayed' || fault === 'never' ? undefined : await own.keyValue.commit(transaction);
      await late?.();
      if (result && fault === undefined) return result;
      throw new UnknownOutcomeError('the answer was lost');
    },
  };
  let writes = 0;
  const writer = new CursorWriter({
    rawKey: CURSOR_KEY,
    claim: own.claim,
    cursor: cursorAt(0),
    revision,
    keyValue,
    stamp: () => ({ by: `me/${(writes += 1)}`, at: 0 }),
    closing: new AbortController().signal,
    onAnswer: () => undefined,
  });
  const effect = (r: number, ifAbsent = false) =>
    writer.write(() => ({
      cursor: cursorAt(r),
      conditions: ifAbsent ? [{ rawKey: '/effect', revision: 0 }] : [],
      operations: [{ type: 'put', rawKey: '/effect', value: Buffer.from(String(r)) }],
    }));
  return {
    ...own,
    faults,
    writer,
    effect,
    [Symbol.dispose]: () => {
      own[Symbol.dispose]();
    },
  };
}

describe('a cursor whose writes lose their answers', () => {
  it.each([
    ['lost'],
    ['never'],
    ['delayed'],
    ['never', 'lost'],
    ['delayed', 'lost'],
    ['never', 'delayed', 'never'],
  ] as Fault[][])('is written once: %o', async (...faults) => {
    using own = await start();
    own.faults.push(...faults);
    expect((await own.effect(1)).kind).toBe('applied');
    expect((await own.effect(2)).kind).toBe('applied');
    expect([own.fake.text('/effect'), own.fake.get('/effect')?.version]).toEqual(['2', 2]);
    expect(own.fake.get(CURSOR_KEY)?.revision).toBe(own.writer.revision);
  });

  it('refuses a write only when no attempt of it can be applied any more', async () => {
    using own = await start();
    own.fake.put('/effect', 'theirs');
    own.faults.push('never');
    expect((await own.effect(1, true)).kind).toBe('refused');
    own.faults.push('delayed', undefined);
    expect((await own.effect(2, true)).kind).toBe('refused');
    own.fake.delete('/effect');
    expect((await own.effect(3, true)).kind).toBe('applied');
    expect(own.fake.get('/effect')?.version).toBe(1);
  });

  it('is lost with the claim, and unknown if another owner has gone on since', async () => {
    using own = await start();
    own.fake.delete('/owner');
    expect((await own.effect(1)).kind).toBe('lost');
    using other = await start();
    other.faults.push('never');
    const write = other.effect(1);
    other.fake.delete('/owner');
    other.fake.put(CURSOR_KEY, { v: 1, ...cursorAt(9), by: 'next/1', at: 0 });
    expect((await write).kind).toBe('unknown');
    expect(other.fake.get('/effect')).toBe(undefined);
  });

  it('is not written over by anybody else', async () => {
    using own = await start();
    own.fake.delete(CURSOR_KEY);
    expect(await own.effect(1)).toEqual({ kind: 'changed', record: undefined });
  });

  it('is taken back if the store turns out to be an older one', async () => {
    using own = await start();
    const outcome = await own.effect(1_000);
    expect(outcome.kind).toBe('changed');
    expect(own.fake.json(CURSOR_KEY)).toMatchObject({ r: 0 });
  });
});
