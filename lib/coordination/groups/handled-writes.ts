import type { KeyRecord } from '../../backend/key-record.js';
import { type Condition, isMet, type Operation } from '../../backend/key-value-store.js';
import { Deferred } from '../../timing/deferred.js';
import type { CursorOutcome, CursorWriter } from './cursor-writer.js';
import type { GroupItem } from './group-item.js';
import type { CursorPlanOptions, PartitionCursor } from './partition-cursor.js';
import { SharedTransaction } from './shared-transaction.js';

/** Writes that are sent in one transaction with the cursor. */
export interface ItemWrites {
  readonly conditions?: readonly Condition[];
  readonly operations: readonly Operation[];
}

type CursorPlan = ReturnType<PartitionCursor['plan']>;

export interface HandledWritesOptions {
  readonly writer: Pick<CursorWriter, 'exclusive'>;
  readonly cursor: PartitionCursor;
  /** The largest number of operations, or of compares, of a transaction. */
  readonly transactionOperations: number;
  /** Moves the progress up to what was received. */
  readonly catchUp: () => void;
  /** Plans a write of the cursor with these operations. */
  readonly plan: (operations: readonly Operation[], options?: CursorPlanOptions) => CursorPlan;
  /** Sends a planned write, within `exclusive`. */
  readonly send: (
    plan: CursorPlan & { readonly conditions?: readonly Condition[] },
    onApplied?: () => void,
  ) => Promise<CursorOutcome>;
}

/** An item that waits for the write which stores that it is handled. */
export class HandledItem {
  readonly item: GroupItem;
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
  readonly #onApplied: () => void;
  readonly #outcome = new Deferred<CursorOutcome>();

  constructor(item: GroupItem, { conditions = [], operations }: ItemWrites, onApplied: () => void) {
    const { parked } = item;
    this.item = item;
    this.conditions = conditions;
    this.operations = parked ? [...operations, { type: 'delete', rawKey: parked.rawKey }] : operations;
    this.#onApplied = onApplied;
  }

  get outcome(): Promise<CursorOutcome> {
    return this.#outcome.promise;
  }

  /** The part of the cursor that changes. A parked event is no part of it. */
  get also(): readonly GroupItem[] {
    return this.item.parked ? [] : [this.item];
  }

  applied(): void {
    this.#onApplied();
  }

  /** Ends with the outcome of its write. */
  async settle(write: Promise<CursorOutcome>): Promise<void> {
    try {
      this.#outcome.resolve(await write);
    } catch (error) {
      this.#outcome.reject(error);
    }
  }
}

/**
 * Stores that items are handled, each in one transaction with what belongs to it. Items that wait at the same time share
 * a transaction if none of them could notice that.
 */
export class HandledWrites {
  readonly #options: HandledWritesOptions;
  #waiting: HandledItem[] = [];

  constructor(options: HandledWritesOptions) {
    this.#options = options;
  }

  /**
   * `onApplied` is called before the next write is planned. Names of keys that do not fit into the transaction are
   * stored before it.
   * @throws EtcdTriggerError if etcd refuses a request; the item is not handled, and its writes are not applied
   */
  write(item: GroupItem, writes: ItemWrites, onApplied: () => void): Promise<CursorOutcome> {
    const handled = new HandledItem(item, writes, onApplied);
    this.#waiting.push(handled);
    if (this.#waiting.length === 1) this.#next();
    return handled.outcome;
  }

  #next(): void {
    void this.#options.writer.exclusive(() => this.#store(this.#take()));
  }

  /** Returns the first one that waits, with all that can share its transaction. */
  #take(): HandledItem[] {
    const shared = new SharedTransaction<HandledItem>(this.#options.transactionOperations);
    const left = this.#waiting.filter((handled) => !shared.add(handled));
    this.#waiting = left;
    if (left.length > 0) this.#next();
    return shared.members;
  }

  async #store(members: readonly HandledItem[]): Promise<void> {
    const outcome = members.length > 1 ? await this.#tryShared(members) : undefined;
    if (outcome && outcome.kind !== 'refused') {
      for (const each of members) await each.settle(Promise.resolve(outcome));
      return;
    }
    const alone = outcome ? refusedOf(members, outcome.result.current) : members;
    for (const each of alone) await each.settle(this.#storeOne(each));
    const left = members.filter((each) => !alone.includes(each));
    if (left.length > 0) await this.#store(left);
  }

  /** Returns `undefined` if nothing was written, and each member is to be stored on its own. */
  async #tryShared(members: readonly HandledItem[]): Promise<CursorOutcome | undefined> {
    const { cursor, catchUp, plan, send } = this.#options;
    const also = members.flatMap((each) => each.also);
    const operations = members.flatMap((each) => each.operations);
    const changes = cursor.keys.isEnabled ? also.flatMap((item) => item.changes) : [];
    if (!cursor.keys.fits(changes, operations.length + 1)) return undefined;
    catchUp();
    const conditions = members.flatMap((each) => each.conditions);
    try {
      return await send({ ...plan(operations, { also, changes }), conditions }, () => {
        for (const each of members) each.applied();
      });
    } catch {
      // One of them is the reason, and gets the error when it is sent alone.
      return undefined;
    }
  }

  async #storeOne(handled: HandledItem): Promise<CursorOutcome> {
    const { cursor, catchUp, plan, send } = this.#options;
    const { keys } = cursor;
    const { operations, conditions } = handled;
    const all = handled.item.parked ? [] : handled.item.changes;
    let changes = all;
    while (!keys.fits(changes, operations.length + 1)) {
      if (keys.size === 0 && changes.length === 0) break;
      const chunks = keys.size > 0 ? [[]] : keys.ahead(changes);
      if (keys.size === 0) changes = [];
      for (const chunk of chunks) {
        const { kind } = await send(plan(chunk));
        if (kind !== 'applied') return { kind: 'lost' };
      }
    }
    const isAhead = changes !== all;
    catchUp();
    return send({ ...plan(operations, { also: handled.also, changes }), conditions }, () => {
      handled.applied();
      if (isAhead) keys.add(all.filter(({ type }) => type === 'delete'));
    });
  }
}

/** The members whose conditions do not hold. Each of them gets its error when it is sent alone. */
function refusedOf(
  members: readonly HandledItem[],
  current: readonly (KeyRecord | undefined)[],
): readonly HandledItem[] {
  let index = 0;
  const refused = members.filter(({ conditions }) => {
    const records = current.slice(index, (index += conditions.length));
    return !conditions.every((condition, at) => isMet(condition, records[at]));
  });
  return refused.length > 0 ? refused : members;
}
