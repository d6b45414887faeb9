import type { Operation } from '../../backend/key-value-store.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import { FenceLostError } from '../../etcd-trigger.errors.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { quoted } from '../../foreign/foreign-text.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { Claim } from '../claim.js';
import type { CursorOutcome } from './cursor-writer.js';
import type { GroupEffects, GroupHandler } from './group-handler.js';
import { serializeParked } from './parked-record.js';
import type { PartitionCursor } from './partition-cursor.js';
import type { GroupItem, ItemFailure, ParkedSource } from './group-item.js';
import type { PartitionWrites } from './partition-writes.js';

export interface PartitionOutcomesOptions {
  readonly claim: Claim;
  readonly cursor: PartitionCursor;
  readonly writes: PartitionWrites;
  readonly handler: GroupHandler;
  readonly log: InstanceLog;
  /** Ends all retries. */
  readonly closing: AbortSignal;
  /** The operations that keep the events of a failed item. */
  readonly parkOperations: (item: GroupItem, failure: ItemFailure) => readonly Operation[];
  readonly onParked: () => void;
}

/** The number of parked events in one transaction, each of which may have a value of 64 KiB. */
const MAX_PARKED = 10;

/** Stores how an event has ended, if that is more than the progress of the cursor. */
export class PartitionOutcomes {
  readonly #options: PartitionOutcomesOptions;
  /** The deletions of parked events that were handled, by raw key. */
  readonly #removals = new Map<string, Promise<void>>();

  constructor(options: PartitionOutcomesOptions) {
    this.#options = options;
  }

  /**
   * Applies the writes of a `commit()` and stores that the item is handled.
   * @throws FenceLostError, RevisionConflictError, UnknownOutcomeError, and the errors of the writes
   */
  async commit(item: GroupItem, build: (tx: ConfigTransaction) => void): Promise<void> {
    const { handler, writes, claim } = this.#options;
    const what = `commit() of ${handler.name}`;
    const effects = await handler.planEffects(what, build);
    const write = (given: GroupEffects): Promise<CursorOutcome> =>
      writes.handled.write(item, given, () => {
        this.#stored(item);
      });
    const outcome = await write(effects).catch(async (error: unknown) => write(await effects.renewed(error)));
    if (outcome.kind === 'applied' || outcome.kind === 'refused') return effects.outcome(outcome.result);
    if (outcome.kind === 'unknown') throw outcome.error;
    const { name, token } = claim.fence;
    throw new FenceLostError(
      `${what}: this instance no longer owns ${quoted(name)} (token ${token}); nothing was written and nothing will be`,
    );
  }

  /** Keeps an item whose last attempt has failed. Resolves to false if the partition was lost before. */
  async park(item: GroupItem, failure: ItemFailure): Promise<boolean> {
    const { closing, claim, log, onParked, handler } = this.#options;
    for (let failures = 0; !claim.isLost && !closing.aborted; failures += 1) {
      try {
        if (!(await this.#parkOnce(item, failure))) return false;
        onParked();
        return true;
      } catch (error) {
        if (failures === 0) log.warn(`an event of ${handler.name} cannot be parked yet: ${messageOf(error)}; retrying`);
        await quietPause(BACKOFF.soon(failures), closing);
      }
    }
    return false;
  }

  /** A parked event was handled: it is not parked any more. */
  removeParked({ rawKey }: ParkedSource): void {
    this.#removals.set(rawKey, this.#remove(rawKey));
  }

  /** True if a parked event was handled and etcd has not confirmed its removal. */
  get isRemoving(): boolean {
    return this.#removals.size > 0;
  }

  /** Resolves when the removal of a parked event was stored, or given up. */
  async whenRemoved({ rawKey }: ParkedSource): Promise<void> {
    await this.#removals.get(rawKey);
    this.#removals.delete(rawKey);
  }

  /**
   * Keeps an event parked that was redriven.
   * @throws EtcdTriggerError if etcd refuses the request
   */
  async keepParked({ rawKey, record }: ParkedSource): Promise<void> {
    const value = serializeParked({ ...record, redrive: undefined });
    await this.#options.writes.write([{ type: 'put', rawKey, value }]);
  }

  async #remove(rawKey: string): Promise<void> {
    const { claim, closing, writes } = this.#options;
    const { signal } = claim.fence;
    for (let failures = 0; failures === 0 || !(signal.aborted || closing.aborted); failures += 1) {
      try {
        await writes.write([{ type: 'delete', rawKey }]);
        return;
      } catch {
        // `CursorWriter` has reported the refusal.
        await quietPause(BACKOFF.soon(failures), signal);
      }
    }
  }

  async #parkOnce(item: GroupItem, failure: ItemFailure): Promise<boolean> {
    const { writes, parkOperations } = this.#options;
    const operations = [...parkOperations(item, failure)];
    // A batch may have more events than fit into a transaction.
    while (operations.length > MAX_PARKED) {
      const first = operations.splice(0, MAX_PARKED);
      if (!(await writes.write(first))) return false;
    }
    if (item.parked) {
      const isStored = await writes.write(operations);
      if (isStored) this.#stored(item);
      return isStored;
    }
    const { kind } = await writes.handled.write(item, { operations }, () => {
      this.#stored(item);
    });
    return kind === 'applied';
  }

  /** The item was handled, and the same write has stored that. */
  #stored(item: GroupItem): void {
    item.isHandled = true;
    item.isStored = true;
    if (!item.parked) this.#options.cursor.committed(item);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'it failed unexpectedly');
