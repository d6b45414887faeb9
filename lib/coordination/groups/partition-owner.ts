import type { Operation } from '../../backend/key-value-store.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { Deferred } from '../../timing/deferred.js';
import { onAbort } from '../../timing/on-abort.js';
import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import type { ResyncNotice, WatchFailure } from '../../watch/watch-event.js';
import type { Claim } from '../claim.js';
import type { CursorWriter } from './cursor-writer.js';
import type { GroupCursor } from './group-cursor.js';
import type { FollowingPartition, GroupFollower } from './group-follower.js';
import type { GroupHandler } from './group-handler.js';
import { PartitionCursor } from './partition-cursor.js';
import type { GroupItem, ItemFailure, ParkedSource } from './group-item.js';
import { PartitionDelivery } from './partition-delivery.js';
import { PartitionIntake, type PlacedEvent } from './partition-intake.js';
import { PartitionOutcomes } from './partition-outcomes.js';
import { PartitionWrites } from './partition-writes.js';

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
  readonly onHistoryChanged: (partition: number, reason: ResyncNotice['reason']) => void;
}

/** One partition while this instance owns it: from the claim to its release or loss. */
export class PartitionOwner implements FollowingPartition {
  readonly partition: number;
  readonly claim: Claim;
  readonly writer: CursorWriter;
  readonly cursor: PartitionCursor;
  readonly delivery: PartitionDelivery;
  readonly #options: PartitionOwnerOptions;
  readonly #intake: PartitionIntake;
  readonly #writes: PartitionWrites;
  readonly #outcomes: PartitionOutcomes;
  #follower: GroupFollower | undefined;
  /** Revisions that wait for the end of all earlier events, because one of them is the difference after lost history. */
  #held: [ChangeBatch, readonly PlacedEvent[], ResyncNotice | undefined][] = [];
  /** First revision that was not received completely, because the partition was ending. */
  #firstMissed = Infinity;
  #isBehind = false;
  /** True if nothing is known of what was handled before the list. */
  #isUnknown = false;
  #notice: ResyncNotice | undefined;
  #end: Promise<void> | undefined;
  readonly #ended = new Deferred();
  /** True until somebody lets it continue at its cursor. */
  isNew = true;
  #hasBegun = false;

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
      claim,
      writer,
      cursor: this.cursor,
      catchUp: () => {
        this.catchUp();
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
        this.#drained();
      },
    });
    this.#intake = new PartitionIntake({
      progress,
      isBatched: 'batch' in handler.handler,
      events: handler.delivery.events,
      remembers: keys.isEnabled,
      mayBeRepeated: (revision, isPhase) =>
        (isPhase && this.#isUnknown) || (mayRepeat && (isPhase ? cursor.r > 0 : revision <= token)),
      cursor: this.cursor,
      partitionKeyOf: handler.partitionKeyOf,
      push: (item) => {
        this.delivery.push(item);
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
    return this.isFollowing && !this.isEnding;
  }

  /** Resolves when nothing of it is left. */
  get whenEnded(): Promise<void> {
    return this.#ended.promise;
  }

  /** True while it receives the events of the target. */
  get isFollowing(): boolean {
    return this.#follower !== undefined;
  }

  /** True if it has received events, although it may have fallen behind since. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get follower(): GroupFollower | undefined {
    return this.#follower;
  }

  /** Revisions of the target that are not handled. */
  get lag(): number {
    const { progress } = this.cursor;
    return Math.max(0, progress.revision - progress.snapshot().r) + (this.#follower?.lag ?? 0);
  }

  /** True if this instance has something to do for the partition. */
  get isBusy(): boolean {
    if (this.delivery.isPaused) return false;
    return this.isEnding || !this.isFollowing || this.delivery.pending > 0 || this.#held.length > 0;
  }

  /** Moves the progress up to what was received. Must not be called while a listener of the target is called. */
  catchUp(): void {
    if (this.#follower) this.#seen(this.#follower.revision);
  }

  /** Moves the progress, but never past something that was not received. */
  #seen(revision: number): void {
    // Revisions that are held are not part of the progress yet.
    if (this.#held.length === 0) this.cursor.progress.seen(Math.min(revision, this.#firstMissed - 1));
  }

  /** True if the lost history has been replaced by a list. */
  get hasResync(): boolean {
    return this.#notice !== undefined;
  }

  /**
   * The history after the cursor is lost: the list at `revision` is handled instead.
   * @param foreign the id of the cluster, if the cursor belongs to another history: nothing is known to be handled
   */
  beginResync(revision: number, reason: ResyncNotice['reason'], foreign?: string): void {
    const { progress } = this.cursor;
    const before = progress.snapshot();
    if (foreign !== undefined) {
      this.cursor.forget();
      this.cursor.belongsTo(foreign);
    }
    // A store whose revision is lower has another history, too.
    const isKnown = foreign === undefined && before.r <= revision;
    progress.beginPhase('resync', revision, isKnown ? before : undefined);
    this.cursor.begun();
    this.#notice ??= this.#noticeOf(before.r + 1, revision, reason, isKnown);
  }

  /** A former owner may have ended before its notice was handled, and with deletions that only it knew. */
  #announceResync(revision: number): void {
    const { base } = this.cursor.progress.snapshot();
    const notice =
      this.#notice ?? this.#noticeOf((base?.r ?? 0) + 1, revision, base ? 'compacted' : 'restored', base !== undefined);
    this.#options.onResync(notice);
  }

  #noticeOf(fromRevision: number, toRevision: number, reason: ResyncNotice['reason'], isKnown: boolean): ResyncNotice {
    const { range, options } = this.#options.handler;
    const deletionsKnown = isKnown && this.cursor.remembers;
    const { partition } = this;
    return { target: range.target, fromRevision, toRevision, reason, deletionsKnown, group: options.name, partition };
  }

  /** Begins to receive. `phase`: the events of a list that are not handled yet. */
  start(follower: GroupFollower, phase?: { readonly revision: number; readonly events: readonly ChangeEvent[] }): void {
    this.#follower = follower;
    this.#hasBegun = true;
    if (!phase) return;
    const { progress } = this.cursor;
    if (progress.phase === 'resync') {
      this.#isUnknown = progress.snapshot().base === undefined;
      this.#announceResync(phase.revision);
    }
    this.cursor.begun();
    this.#intake.phase(phase.revision, phase.events);
  }

  canAccept(count: number): boolean {
    return this.#held.length === 0 && this.delivery.canAccept(count);
  }

  receive(batch: ChangeBatch, events: readonly PlacedEvent[], notice: ResyncNotice | undefined): void {
    if (this.isEnding) {
      this.#firstMissed = Math.min(this.#firstMissed, notice?.fromRevision ?? batch.revision);
      return;
    }
    if (!notice && batch.revision <= this.cursor.progress.revision) return;
    if (notice && notice.reason !== 'compacted') {
      this.#options.onHistoryChanged(this.partition, notice.reason);
      return;
    }
    if (notice || this.#held.length > 0) {
      this.#held.push([batch, events, notice]);
      this.#takeHeld();
      return;
    }
    this.#intake.live(batch, events);
    this.cursor.progress.seen(batch.revision);
    this.delivery.admit();
  }

  /**
   * Calls the handler with an event that was parked. Resolves when it is stored that the event is handled or parked
   * again, or at the end of the partition.
   */
  async handleParked(event: ChangeEvent, parked: ParkedSource): Promise<void> {
    const { revision } = event;
    const ended = new Deferred();
    const isBatched = 'batch' in this.#options.handler.handler;
    this.delivery.push({
      subject: isBatched ? { revision, origin: 'live', events: [event] } : event,
      changes: [event],
      // It is no part of the progress, and starts at once.
      entry: { positions: [], revision, phaseKey: undefined, sequence: -1, isFinished: false, at: performance.now() },
      redelivered: true,
      isFinished: false,
      failure: undefined,
      parked,
      onEnd: ended.resolve,
    });
    this.delivery.admit();
    await Promise.race([ended.promise, this.whenEnded]);
    await this.#outcomes.whenRemoved(parked);
  }

  /**
   * Keeps an event parked that was redriven.
   * @throws EtcdTriggerError if etcd refuses the request
   */
  keepParked(parked: ParkedSource): Promise<void> {
    return this.#outcomes.keepParked(parked);
  }

  fallBehind(revision: number): void {
    this.#seen(revision);
    this.#follower = undefined;
    this.#isBehind = true;
  }

  /**
   * Ends the partition: running calls end, and unless the claim is lost, the cursor is stored and the owner key deleted
   * in one transaction. Resolves when nothing of it is left. Must not reject.
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
    this.catchUp();
    this.#leave();
    if (!claim.isLost) await this.#storeLast();
    await claim.release();
    this.#ended.resolve();
  }

  async #storeLast(): Promise<void> {
    try {
      await this.#writes.release(this.delivery.hasInterrupted);
    } catch (error) {
      this.#options.onUnexpected(error);
    }
  }

  #leave(): void {
    this.#follower?.leave(this);
    this.#follower = undefined;
  }

  /** Stores the cursor now, with one write for all calls before it is planned. Resolves to false if it was not stored. */
  store(): Promise<boolean> {
    return this.#writes.store();
  }

  #finished({ entry, changes, isStored, parked }: GroupItem): void {
    const { everyEvents } = this.#options.handler.options;
    if (parked) {
      if (isStored !== true) this.#outcomes.removeParked(parked);
      return;
    }
    if (isStored !== true) this.cursor.finish(entry, changes);
    const { unsaved, keys } = this.cursor;
    if (keys.isFull || unsaved >= Math.ceil(everyEvents / 2)) void this.store();
    else this.#options.onUnsaved(this);
    if (this.#held.length > 0)
      queueMicrotask(() => {
        this.#takeHeld();
      });
  }

  /** Handles the difference after lost history as a phase, when everything before it is finished. */
  #takeHeld(): void {
    const { progress } = this.cursor;
    for (let next = this.#held[0]; next && !this.isEnding; next = this.#held[0]) {
      const [batch, events, notice] = next;
      if (notice && !progress.isIdle) return;
      this.#held.shift();
      if (notice) {
        progress.beginPhase('resync', batch.revision, progress.snapshot());
        this.cursor.begun();
        const { name } = this.#options.handler.options;
        this.#options.onResync({ ...notice, group: name, partition: this.partition });
        this.#intake.phase(
          batch.revision,
          events.map(({ event }) => event),
        );
        void this.store();
      } else {
        this.#intake.live(batch, events);
        progress.seen(batch.revision);
      }
      this.delivery.admit();
    }
    this.#drained();
  }

  #drained(): void {
    if (this.isEnding) return;
    if (!this.#isBehind) {
      this.#follower?.onDrain();
      return;
    }
    this.#isBehind = false;
    this.#options.onBehind(this);
  }

  #before({ entry, failure }: GroupItem): Promise<void> | undefined {
    return failure || !this.cursor.begin(entry) ? undefined : this.#writes.storeBegun();
  }
}
