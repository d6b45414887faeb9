import type { Operation } from '../../backend/key-value-store.js';
import type { Claim } from '../claim.js';
import type { CursorOutcome, CursorWriter } from './cursor-writer.js';
import { HandledWrites } from './handled-writes.js';
import type { CursorPlanOptions, PartitionCursor } from './partition-cursor.js';

export interface PartitionWritesOptions {
  readonly claim: Claim;
  readonly writer: CursorWriter;
  readonly cursor: PartitionCursor;
  /** The largest number of operations, or of compares, of a transaction. */
  readonly transactionOperations: number;
  /** Moves the progress up to what was received. */
  readonly catchUp: () => void;
  /** A checkpoint has ended: further events may start. */
  readonly onStored: () => void;
  /** The cursor is to be stored soon. */
  readonly onUnsaved: () => void;
  /** etcd has refused to store the cursor: try again later. */
  readonly onRefused: () => void;
}

type CursorPlan = ReturnType<PartitionCursor['plan']>;

/** The writes of one partition: its checkpoints, and what is stored together with the end of an event. */
export class PartitionWrites {
  readonly #options: PartitionWritesOptions;
  /** A checkpoint that is not planned yet. */
  #storing: Promise<boolean> | undefined;
  #storingBegun: Promise<void> | undefined;
  readonly #handled: HandledWrites;

  constructor(options: PartitionWritesOptions) {
    this.#options = options;
    this.#handled = new HandledWrites({
      ...options,
      plan: (...planned) => this.#planWith(...planned),
      send: (...planned) => this.#send(...planned),
    });
  }

  /** Stores the cursor now, with one write for all calls before it is planned. Resolves to false if it was not stored. */
  store(): Promise<boolean> {
    return (this.#storing ??= this.#storeOnce());
  }

  /** Stores which events are about to be called, with one write for all calls before it is planned. Never rejects. */
  storeBegun(): Promise<void> {
    return (this.#storingBegun ??= this.#write(() => {
      this.#storingBegun = undefined;
      this.#options.catchUp();
      return this.#options.cursor.plan();
    }).then(
      () => undefined,
      () => undefined,
    ));
  }

  /**
   * Writes in one transaction with the cursor. Resolves to false if nothing was written, because the partition is lost.
   * @throws EtcdTriggerError if etcd refuses the request; nothing was written
   */
  write(operations: readonly Operation[]): Promise<boolean> {
    return this.#write(() => this.#planWith(operations));
  }

  /** Stores that items are handled, with what belongs to that. */
  get handled(): Pick<HandledWrites, 'write'> {
    return this.#handled;
  }

  /**
   * Stores the cursor and deletes the owner key in one transaction.
   * @param interrupted true if calls have begun whose events are not handled
   */
  async release(interrupted: boolean): Promise<void> {
    const { claim, cursor } = this.#options;
    const removal: Operation = { type: 'delete', rawKey: claim.rawKey };
    while (cursor.keys.size > 0 && (await this.store()));
    await this.#write(() => this.#planWith([removal], { release: true, interrupted }));
  }

  async #storeOnce(): Promise<boolean> {
    const { catchUp, cursor, onRefused, onStored, onUnsaved } = this.#options;
    try {
      const isStored = await this.#write(() => {
        this.#storing = undefined;
        catchUp();
        return cursor.plan();
      });
      if (isStored && cursor.keys.isFull) void this.store();
      else if (isStored && cursor.keys.size > 0) onUnsaved();
      return isStored;
    } catch {
      // `CursorWriter` has reported the refusal.
      onRefused();
      return false;
    } finally {
      onStored();
    }
  }

  async #write(make: () => CursorPlan): Promise<boolean> {
    const { kind } = await this.#options.writer.exclusive(() => this.#send(make()));
    return kind === 'applied';
  }

  /** To be called within `exclusive`. */
  async #send(plan: CursorPlan, onApplied: () => void = () => undefined): Promise<CursorOutcome> {
    const { writer, cursor, claim } = this.#options;
    const outcome = await writer.send(plan);
    if (outcome.kind === 'applied') {
      onApplied();
      cursor.stored(plan);
    } else if (outcome.kind !== 'refused') claim.lose();
    return outcome;
  }

  #planWith(operations: readonly Operation[], options?: CursorPlanOptions): CursorPlan {
    const plan = this.#options.cursor.plan(options);
    return { ...plan, operations: [...operations, ...(plan.operations ?? [])] };
  }
}
