import { describe, expect, it } from 'vitest';
import { SharedTransaction, type TransactionMember } from '../../../lib/coordination/groups/shared-transaction.js';

const put = (rawKey: string, bytes = 1) => ({ type: 'put', rawKey, value: Buffer.alloc(bytes) }) as const;
const member = (...keys: readonly string[]): TransactionMember => ({
  conditions: [],
  operations: keys.map((key) => put(key)),
});

/** Returns true for each member that shares the transaction of the first. */
const sharing = (members: readonly TransactionMember[], max = 128): boolean[] => {
  const shared = new SharedTransaction(max);
  return members.map((each) => shared.add(each));
};

describe('a transaction with several members', () => {
  it('has members that write different keys', () => {
    expect(sharing([member('a', 'b'), member('c'), member('b'), member('d')])).toEqual([true, true, false, true]);
  });

  it('has no member that requires something of a key that another one writes', () => {
    const requires = (rawKey: string, ...keys: readonly string[]): TransactionMember => ({
      ...member(...keys),
      conditions: [{ rawKey, revision: 0 }],
    });
    expect(sharing([member('a'), requires('a', 'b')])).toEqual([true, false]);
    expect(sharing([requires('a', 'b'), member('a')])).toEqual([true, false]);
    expect(sharing([requires('a', 'a'), requires('b', 'b'), requires('a', 'c')])).toEqual([true, true, false]);
    // A fence is required by many.
    expect(sharing([requires('fence', 'a'), requires('fence', 'b')])).toEqual([true, true]);
  });

  it('shares with no member that requires something of all keys with a prefix', () => {
    const prefixed: TransactionMember = { ...member('b'), conditions: [{ rawKey: '', noneCreatedBefore: 0 }] };
    expect(sharing([member('a'), prefixed])).toEqual([true, false]);
    expect(sharing([prefixed, member('a')])).toEqual([true, false]);
  });

  it('stays within the operations and compares of the server, besides those of the cursor', () => {
    expect(sharing([member('a', 'b'), member('c'), member('d')], 4)).toEqual([true, true, false]);
    const two = { revision: 1, lease: '1' };
    const compares = (rawKey: string): TransactionMember => ({ ...member(), conditions: [{ rawKey, ...two }] });
    expect(sharing([compares('a'), compares('b'), compares('c')], 8)).toEqual([true, true, false]);
  });

  it('stays small, unless one member is large', () => {
    const large: TransactionMember = { conditions: [], operations: [put('large', 1_000_000)] };
    expect(sharing([large, member('a')])).toEqual([true, false]);
    expect(sharing([member('a'), large, member('b')])).toEqual([true, false, true]);
  });
});
