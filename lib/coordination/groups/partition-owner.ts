import type { Operation } from '../../backend/key-value-store.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { settledOrAborted } from '../../timing/abortable.js';
import { Deferred } from '../../timing/deferred.js';
import { onAbort } from '../../timing/on-abort.js';
import type { ChangeEvent } from '../../watch/stream/change-event.js';
import type { ResyncNotice, WatchFailure } from '../../watch/watch-event.js';
import { aborted } from '../aborted.js';
import type { Claim } from '../claim.js';
import { RELEASE_LIMIT_MS } from '../participant.js';
import type { CursorWriter } from './cursor-writer.js';
import type { GroupCursor } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import { PartitionCursor } from './partition-cursor.js';
import { GroupItem, type ItemFailure, type ParkedSource } from './group-item.js';
import { PartitionDelivery } from './partition-delivery.js';
import { PartitionOutcomes } from './partition-outcomes.js';
import { PartitionReceiver } from './partition-receiver.js';
import { PartitionWrites } from './partition-writes.js';
import { PlacedEvent } from './placed-event.js';

export interface PartitionOwnerOptions {
  readonly partition: number;
  readonly claim: Claim;
  /** The cursor as it was stored with the claim. */
  readonly cursor: GroupCursor;
  /** The create revision of the key that stores the cursor. */
  readonly createRevision: number;
  /** True if the last owner may have called the handler with events that are not handled. */
  readonly mayRepeat: boolean;
  readonly writer: CursorWriter;
  readonly handler: GroupHandler;
  readonly rememberedPrefix: string | undefined;
  /** The largest number of operations of a transaction. */
  readonly transactionOperations: number;
  readonly log: InstanceLog;
  /** Ends all retries. */
  readonly closing: AbortSignal;
  /** Aborts when the instance begins to give its partitions up. */
  readonly stopping: AbortSignal;
  /** The operations that keep the events of a failed item. */
  readonly parkOperations: (item: GroupItem, failure: ItemFailure) => readonly Operation[];
  readonly onParked: () => void;
  /** The cursor is to be stored soon. */
  readonly onUnsaved: (owner: PartitionOwner) => void;
  /** etcd has refused to store the cursor: try again later. */
  readonly onRefused: () => void;
  readonly onFailure: (failure: WatchFailure) => void;
  readonly onResync: (notice: ResyncNotice) => void;
  readonly onUnexpected: (error: unknown) => void;
  /** The partition follows nothing any more, and begins again after the events that it has received. */
  readonly onBehind: (owner: PartitionOwner) => void;
  /** The store has another history: the partition is given up and claimed again with the cursor of that. */
  readonly onHistoryChanged: (reason: ResyncNotice['reason']) => void;
}

/** One partition while this instance owns it: from the claim to its release or loss. */
export class PartitionOwner {
  readonly partition: number;
  readonly claim: Claim;
  readonly writer: CursorWriter;
  readonly cursor: PartitionCursor;
  readonly delivery: PartitionDelivery;
  readonly receiver: PartitionReceiver;
  readonly #options: PartitionOwnerOptions;
  readonly #writes: PartitionWrites;
  readonly #outcomes: PartitionOutcomes;
  #end: Promise<void> | undefined;
  /** Aborts when nothing of it is left. */
  readonly #ended = new AbortController();
  /** True until somebody lets it continue at its cursor. */
  isNew = true;

  constructor(options: PartitionOwnerOptions) {
    const { partition, claim, writer, handler, cursor, mayRepeat, log } = options;
    const { token } = claim.fence;
    this.#options = options;
    this.partition = partition;
    this.claim = claim;
    this.writer = writer;
    this.cursor = new PartitionCursor({ ...options, token });
    const { progress, keys } = this.cursor;
    this.#writes = new PartitionWrites({
      ...options,
      cursor: this.cursor,
      catchUp: () => {
        this.receiver.catchUp();
      },
      onStored: () => {
        this.delivery.admit();
      },
      onUnsaved: () => {
        options.onUnsaved(this);
      },
      onRefused: options.onRefused,
    });
    this.#outcomes = new PartitionOutcomes({ ...options, cursor: this.cursor, writes: this.#writes });
    this.delivery = new PartitionDelivery({
      group: handler,
      fence: claim.fence,
      progress,
      log,
      windowSize: () => this.cursor.windowSize,
      isBlocked: () => this.cursor.unsaved >= handler.options.everyEvents || keys.isFull,
      before: (item) => this.#before(item),
      commit: (item, build) => this.#outcomes.commit(item, build),
      park: (item, failure) => this.#outcomes.park(item, failure),
      onFinished: (item) => {
        this.#finished(item);
      },
      onFailure: options.onFailure,
      onUnexpected: options.onUnexpected,
      onDrain: () => {
        this.receiver.drained();
      },
    });
    this.receiver = new PartitionReceiver({
      ...options,
      cursor: this.cursor,
      delivery: this.delivery,
      mayBeRepeated: (revision, isPhase) => mayRepeat && (isPhase ? cursor.r > 0 : revision <= token),
      isEnding: () => this.isEnding,
      onBegun: () => void this.store(),
      onBehind: () => {
        options.onBehind(this);
      },
    });
    const stopListening = onAbort(claim.fence.signal, () => {
      stopListening();
      if (claim.isLost) void this.end();
    });
    if (claim.isLost) void this.end();
  }

  /** True from the beginning of its end on. */
  get isEnding(): boolean {
    return this.#end !== undefined;
  }

  /** True while it can handle events. */
  get isActive(): boolean {
    return this.receiver.isFollowing && !this.isEnding;
  }

  /** Resolves when nothing of it is left. */
  get whenEnded(): Promise<void> {
    return aborted(this.#ended.signal);
  }

  /** True if this instance has something to do for the partition. */
  get isBusy(): boolean {
    if (this.delivery.isPaused) return false;
    const { isFollowing, isHolding } = this.receiver;
    return this.isEnding || !isFollowing || this.delivery.pending > 0 || isHolding;
  }

  /**
   * Calls the handler with an event that was parked. Resolves when it is stored that the event is handled or parked
   * again, or at the end of the partition.
   */
  async handleParked(event: ChangeEvent, parked: ParkedSource): Promise<void> {
    const { revision } = event;
    const ended = new Deferred();
    const isBatched = 'batch' in this.#options.handler.handler;
    this.delivery.push(
      new GroupItem({
        subject: isBatched ? { revision, origin: 'live', events: [event] } : event,
        // It is no part of the progress, and starts at once.
        placed: [new PlacedEvent(event)],
        at: performance.now(),
        redelivered: true,
        parked,
        onEnd: ended.resolve,
      }),
    );
    this.delivery.admit();
    await settledOrAborted(ended.promise, this.#ended.signal);
    await this.#outcomes.whenRemoved(parked);
  }

  /**
   * Keeps an event parked that was redriven.
   * @throws EtcdTriggerError if etcd refuses the request
   */
  keepParked(parked: ParkedSource): Promise<void> {
    return this.#outcomes.keepParked(parked);
  }

  /**
   * Ends the partition: running calls end, and unless the claim is lost, the cursor is stored and the owner key deleted
   * in one transaction. Resolves when nothing of it is left. At shutdown, it waits without a limit only for events
   * that are handled and not stored. Must not reject.
   */
  end(): Promise<void> {
    return (this.#end ??= this.#release());
  }

  async #release(): Promise<void> {
    const { claim, delivery } = this;
    const wasLost = claim.isLost;
    claim.abort();
    const idle = delivery.stop();
    if (wasLost) delivery.abort(new Error(`"${claim.fence.name}" is no longer owned by this instance`));
    await idle;
    this.receiver.catchUp();
    this.receiver.leave();
    const limit = this.#releaseLimit();
    if (!claim.isLost) {
      const isUnsaved = this.cursor.unsaved > 0 || this.#outcomes.isRemoving;
      const stored = this.#storeLast();
      await (isUnsaved ? stored : Promise.race([stored, limit.promise]));
    }
    await Promise.race([claim.release(), limit.promise]);
    limit.cancel();
    this.#ended.abort();
  }

  /** At shutdown, what goes with the lease anyway is waited for only until `promise` resolves. */
  #releaseLimit(): { readonly promise: Promise<void>; readonly cancel: () => void } {
    const { stopping } = this.#options;
    const { promise, resolve } = new Deferred();
    let timer: NodeJS.Timeout | undefined;
    const begin = (): void => {
      timer = setTimeout(resolve, RELEASE_LIMIT_MS).unref();
    };
    if (stopping.aborted) begin();
    const stopListening = onAbort(stopping, begin);
    const cancel = (): void => {
      clearTimeout(timer);
      stopListening();
    };
    return { promise, cancel };
  }

  async #storeLast(): Promise<void> {
    try {
      await this.#writes.release(this.delivery.hasInterrupted);
    } catch (error) {
      this.#options.onUnexpected(error);
    }
  }

  /** Stores the cursor now, with one write for all calls before it is planned. Resolves to false if it was not stored. */
  store(): Promise<boolean> {
    return this.#writes.store();
  }

  #finished(item: GroupItem): void {
    const { parked, isStored } = item;
    if (parked) {
      if (!isStored) this.#outcomes.removeParked(parked);
      return;
    }
    if (!isStored) this.cursor.finish(item);
    const { unsaved, keys } = this.cursor;
    if (keys.isFull || unsaved >= this.#options.handler.options.everyEvents / 2) void this.store();
    else this.#options.onUnsaved(this);
    this.receiver.eventFinished();
  }

  #before(item: GroupItem): Promise<void> | undefined {
    if (item.failure || item.parked || !this.cursor.begin(item)) return undefined;
    return this.#writes.storeBegun();
  }
}
