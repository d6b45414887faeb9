import type { LeaseClock } from '../../backend/lease-clock.js';
import type { Condition, KeyValueStore, Operation } from '../../backend/key-value-store.js';
import { UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { Deferred } from '../../timing/deferred.js';
import type { CursorStamp } from './group-cursor.js';
import type { PartitionOwner } from './partition-owner.js';

export interface GroupCheckpointsOptions {
  readonly keyValue: KeyValueStore;
  readonly clock: LeaseClock;
  readonly stamp: () => CursorStamp;
  /** The largest number of operations, or of compares, of a transaction. */
  readonly transactionOperations: number;
  /** The owned partitions of all groups. */
  readonly owners: () => readonly PartitionOwner[];
  /** Number of instances that write their cursors while nothing happens. */
  readonly instances: () => number;
  /** Called with the duration of each write in milliseconds. */
  readonly onWrite?: ((ms: number, partitions: number) => void) | undefined;
}

/** A write of the cursor takes the compares of the claim's creation and lease, and of the cursor's revision. */
const COMPARES = 3;
/** A partition whose cursor is being written is looked at again after this time, in milliseconds. */
const BUSY_MS = 1_000;
/** While nothing happens, the cursors are written at most that often, in milliseconds. */
const IDLE_MS = 60_000;

/** Stores the cursors of all partitions of this instance: those of a moment in one transaction. */
export class GroupCheckpoints {
  readonly #options: GroupCheckpointsOptions;
  /** The end of the wait for the next checkpoint. */
  #due: { readonly ms: number; readonly at: number; readonly cancel: () => void } | undefined;
  #cancelIdle: (() => void) | undefined;
  #isStopped = false;

  constructor(options: GroupCheckpointsOptions) {
    this.#options = options;
  }

  /** Begins to move the cursors of targets that do not change. */
  start(): void {
    if (this.#isStopped) return;
    this.#cancelIdle ??= this.#options.clock.after(IDLE_MS, () => {
      this.#cancelIdle = undefined;
      this.#moveIdle();
      this.start();
    });
  }

  /** Stores the cursors within `ms`. */
  request(ms: number): void {
    // Called for each event: the clock is only read if the wait may end earlier.
    if (this.#isStopped || (this.#due && this.#due.ms <= ms)) return;
    const { clock } = this.#options;
    const at = clock.now() + ms;
    if (this.#due && this.#due.at <= at) return;
    this.#due?.cancel();
    const cancel = clock.after(ms, () => {
      this.#due = undefined;
      void this.#store(this.#options.owners().filter(({ cursor }) => cursor.isDirty));
    });
    this.#due = { ms, at, cancel };
  }

  stop(): void {
    this.#isStopped = true;
    this.#due?.cancel();
    this.#cancelIdle?.();
  }

  /** Each such write moves the revision itself, and is no reason for another one. */
  #moveIdle(): void {
    const owners = this.#options.owners().filter((owner) => owner.isActive);
    for (const { receiver } of owners) receiver.catchUp();
    const least = 2 * this.#options.instances();
    const behind = owners.filter(({ cursor, delivery }) => cursor.behind > least && !delivery.isPaused);
    if (behind.length > 0) void this.#store(behind);
  }

  async #store(owners: readonly PartitionOwner[]): Promise<void> {
    const free = owners.filter(({ writer, isEnding }) => !writer.isBusy && !isEnding);
    // A write that is running may have been planned before the last events were finished.
    if (free.length < owners.length) this.request(BUSY_MS);
    const size = Math.max(1, Math.floor(this.#options.transactionOperations / COMPARES));
    const single = free.filter(({ cursor }) => cursor.keys.size > 0);
    const together = free.filter(({ cursor }) => cursor.keys.size === 0);
    const chunks = Array.from({ length: Math.ceil(together.length / size) }, (_, index) =>
      together.slice(index * size, (index + 1) * size),
    );
    await Promise.all([...chunks.map((chunk) => this.#storeTogether(chunk)), ...single.map((owner) => owner.store())]);
  }

  async #storeTogether(owners: readonly PartitionOwner[]): Promise<void> {
    const startedAt = performance.now();
    if (owners.length === 1 || !(await this.#tryTogether(owners)))
      await Promise.all(owners.map((owner) => owner.store()));
    this.#options.onWrite?.(performance.now() - startedAt, owners.length);
  }

  /** Returns false if each partition is to be stored on its own. */
  async #tryTogether(owners: readonly PartitionOwner[]): Promise<boolean> {
    const end = new Deferred();
    for (const { writer } of owners) void writer.exclusive(() => end.promise);
    const stamp = this.#options.stamp();
    const plans = owners.map((owner) => {
      owner.receiver.catchUp();
      return { owner, plan: owner.cursor.plan() };
    });
    const conditions: Condition[] = plans.flatMap(({ owner }) => owner.writer.conditions);
    const operations: Operation[] = plans.map(({ owner, plan }) => owner.writer.operation(plan.cursor, stamp));
    try {
      const what = `store the cursors of ${owners.length} partitions`;
      const result = await this.#options.keyValue.commit({ what, conditions, operations });
      if (!result.applied) return false;
      for (const { owner, plan } of plans) {
        if (await owner.writer.restored(plan.cursor, result.revision)) {
          owner.claim.lose();
          continue;
        }
        owner.writer.stored(plan.cursor, result.revision);
        owner.cursor.stored(plan);
        owner.delivery.admit();
      }
      return true;
    } catch (error) {
      if (error instanceof UnknownOutcomeError) for (const { owner } of plans) owner.writer.mayBeStored(stamp);
      return false;
    } finally {
      end.resolve();
    }
  }
}
