import { compareCount, type Condition, type Operation } from '../../backend/key-value-store.js';

/** The writes and conditions of one member of a transaction. */
export interface TransactionMember {
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
}

/** The largest size of the keys and values of a transaction with several members, in bytes. */
const MAX_BYTES = 262_144;
/** The cursor takes one operation, and the compares of the claim's creation and lease, and of the cursor's revision. */
const CURSOR_OPERATIONS = 1;
const CURSOR_COMPARES = 3;

/**
 * The members of one transaction, which have the same effect as one after the other: none of them writes a key that
 * another one writes or requires something of.
 */
export class SharedTransaction<Member extends TransactionMember> {
  readonly members: Member[] = [];
  /** The largest number of operations, or of compares. */
  readonly #max: number;
  readonly #written = new Set<string>();
  readonly #required = new Set<string>();
  #operations = CURSOR_OPERATIONS;
  #compares = CURSOR_COMPARES;
  #bytes = 0;
  /** True if the first member requires something of a range of keys. */
  #isAlone = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns false if the member needs a transaction of its own. The first member is always added. */
  add(member: Member): boolean {
    const { conditions, operations } = member;
    const bytes = operations.reduce((sum, operation) => sum + sizeOf(operation), 0);
    const compares = compareCount(conditions);
    const fits =
      this.#operations + operations.length <= this.#max &&
      this.#compares + compares <= this.#max &&
      this.#bytes + bytes <= MAX_BYTES;
    const isRanged = conditions.some(({ noneCreatedBefore }) => noneCreatedBefore !== undefined);
    const isFirst = this.members.length === 0;
    if (!isFirst && (this.#isAlone || isRanged || !fits || !this.#isIndependent(member))) return false;
    this.#isAlone = isRanged;
    this.members.push(member);
    this.#operations += operations.length;
    this.#compares += compares;
    this.#bytes += bytes;
    for (const { rawKey } of operations) this.#written.add(rawKey);
    for (const { rawKey } of conditions) this.#required.add(rawKey);
    return true;
  }

  #isIndependent({ conditions, operations }: Member): boolean {
    return (
      operations.every(({ rawKey }) => !this.#written.has(rawKey) && !this.#required.has(rawKey)) &&
      conditions.every(({ rawKey }) => !this.#written.has(rawKey))
    );
  }
}

const sizeOf = (operation: Operation): number =>
  operation.rawKey.length + (operation.type === 'put' ? operation.value.length : 0);
