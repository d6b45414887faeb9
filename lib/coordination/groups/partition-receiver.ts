import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import type { FollowingPartition, GroupFollower } from './group-follower.js';
import type { GroupHandler } from './group-handler.js';
import { isHandled } from './group-cursor.js';
import type { PartitionCursor } from './partition-cursor.js';
import type { PartitionDelivery } from './partition-delivery.js';
import { PartitionIntake } from './partition-intake.js';
import type { PlacedEvent } from './placed-event.js';

export interface PartitionReceiverOptions {
  readonly partition: number;
  readonly handler: GroupHandler;
  readonly cursor: PartitionCursor;
  readonly delivery: Pick<PartitionDelivery, 'push' | 'admit' | 'canAccept'>;
  /** True if another owner may have handled an event of this revision. */
  readonly mayBeRepeated: (revision: number, isPhase: boolean) => boolean;
  readonly isEnding: () => boolean;
  /** The cursor is to be stored now. */
  readonly onBegun: () => void;
  readonly onResync: (notice: ResyncNotice) => void;
  /** The partition follows nothing any more, and begins again after the events that it has received. */
  readonly onBehind: () => void;
  /** The store has another history. */
  readonly onHistoryChanged: (reason: ResyncNotice['reason']) => void;
}

/** Receives the events of one partition, from the list or watch that it follows, and knows what was lost or missed. */
export class PartitionReceiver implements FollowingPartition {
  readonly partition: number;
  readonly #options: PartitionReceiverOptions;
  readonly #cursor: PartitionCursor;
  readonly #intake: PartitionIntake;
  #follower: GroupFollower | undefined;
  /** Revisions that wait for the end of all earlier events, because one of them is the difference after lost history. */
  #held: [ChangeBatch, readonly PlacedEvent[], ResyncNotice | undefined][] = [];
  /** First revision that was not received completely, because the partition was ending. */
  #firstMissed = Infinity;
  #isBehind = false;
  /** True if nothing is known of what was handled before the list. */
  #isUnknown = false;
  #notice: ResyncNotice | undefined;
  #hasBegun = false;

  constructor(options: PartitionReceiverOptions) {
    const { partition, handler, cursor, delivery, mayBeRepeated } = options;
    this.#options = options;
    this.#cursor = cursor;
    this.partition = partition;
    this.#intake = new PartitionIntake({
      progress: cursor.progress,
      isBatched: 'batch' in handler.handler,
      events: handler.delivery.events,
      remembers: cursor.keys.isEnabled,
      mayBeRepeated: (revision, isPhase) => (isPhase && this.#isUnknown) || mayBeRepeated(revision, isPhase),
      cursor,
      partitionText: handler.partitionText,
      push: (item) => {
        delivery.push(item);
      },
    });
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

  /** True if received revisions wait for the end of earlier events. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Revisions of the target that are not handled. */
  get lag(): number {
    const { progress } = this.#cursor;
    return Math.max(0, progress.revision - progress.snapshot().r) + (this.#follower?.lag ?? 0);
  }

  /** Moves the progress up to what was received. Must not be called while a listener of the target is called. */
  catchUp(): void {
    if (this.#follower) this.#seen(this.#follower.revision);
  }

  /** Moves the progress, but never past something that was not received. */
  #seen(revision: number): void {
    // Revisions that are held are not part of the progress yet.
    if (this.#held.length === 0) this.#cursor.progress.seen(Math.min(revision, this.#firstMissed - 1));
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
    const { progress } = this.#cursor;
    const before = progress.snapshot();
    if (foreign !== undefined) {
      this.#cursor.forget();
      this.#cursor.belongsTo(foreign);
    }
    // A store whose revision is lower has another history, too.
    const isKnown = foreign === undefined && before.r <= revision;
    progress.beginPhase('resync', revision, isKnown ? before : undefined);
    this.#cursor.begun();
    this.#notice ??= this.#noticeOf(before.r + 1, revision, reason, isKnown);
  }

  /** A former owner may have ended before its notice was handled, and with deletions that only it knew. */
  #announceResync(revision: number): void {
    const { base } = this.#cursor.progress.snapshot();
    const notice =
      this.#notice ?? this.#noticeOf((base?.r ?? 0) + 1, revision, base ? 'compacted' : 'restored', base !== undefined);
    this.#options.onResync(notice);
  }

  #noticeOf(fromRevision: number, toRevision: number, reason: ResyncNotice['reason'], isKnown: boolean): ResyncNotice {
    const { range, options } = this.#options.handler;
    const deletionsKnown = isKnown && this.#cursor.remembers;
    const { partition } = this;
    return { target: range.target, fromRevision, toRevision, reason, deletionsKnown, group: options.name, partition };
  }

  /** Begins to receive. `phase`: the events of a list that are not handled yet. */
  start(follower: GroupFollower, phase?: { readonly revision: number; readonly events: readonly ChangeEvent[] }): void {
    this.#follower = follower;
    this.#hasBegun = true;
    if (!phase) return;
    const { progress } = this.#cursor;
    if (progress.phase === 'resync') {
      this.#isUnknown = progress.snapshot().base === undefined;
      this.#announceResync(phase.revision);
    }
    this.#cursor.begun();
    this.#intake.phase(phase.revision, phase.events);
  }

  canAccept(count: number): boolean {
    return this.#held.length === 0 && this.#options.delivery.canAccept(count);
  }

  receive(batch: ChangeBatch, events: readonly PlacedEvent[], notice: ResyncNotice | undefined): void {
    if (this.#options.isEnding()) {
      this.#firstMissed = Math.min(this.#firstMissed, notice?.fromRevision ?? batch.revision);
      return;
    }
    if (!notice && batch.revision <= this.#cursor.progress.revision) return;
    if (notice && notice.reason !== 'compacted') {
      this.#options.onHistoryChanged(notice.reason);
      return;
    }
    if (notice || this.#held.length > 0) {
      this.#held.push([batch, events, notice]);
      this.#takeHeld();
      return;
    }
    this.#intake.live(batch, events);
    this.#cursor.progress.seen(batch.revision);
    this.#options.delivery.admit();
  }

  fallBehind(revision: number): void {
    this.#seen(revision);
    this.#follower = undefined;
    this.#isBehind = true;
  }

  /** Receives nothing any more. */
  leave(): void {
    this.#follower?.leave(this);
    this.#follower = undefined;
  }

  /** An event is finished. */
  eventFinished(): void {
    if (this.#held.length > 0)
      queueMicrotask(() => {
        this.#takeHeld();
      });
  }

  /** Handles the difference after lost history as a phase, when everything before it is finished. */
  #takeHeld(): void {
    const { progress } = this.#cursor;
    for (let next = this.#held[0]; next && !this.#options.isEnding(); next = this.#held[0]) {
      const [batch, events, notice] = next;
      if (notice && !progress.isIdle) return;
      this.#held.shift();
      if (notice) {
        const before = progress.snapshot();
        progress.beginPhase('resync', batch.revision, before);
        this.#cursor.begun();
        const { name } = this.#options.handler.options;
        this.#options.onResync({ ...notice, group: name, partition: this.partition });
        // The difference begins where the watch was, which may be before events that are handled.
        const left = events.filter(
          ({ event: { type, revision, rawKey } }) => type === 'delete' || !isHandled(before, revision, rawKey),
        );
        this.#intake.phase(
          batch.revision,
          left.map(({ event }) => event),
        );
        this.#options.onBegun();
      } else {
        this.#intake.live(batch, events);
        progress.seen(batch.revision);
      }
      this.#options.delivery.admit();
    }
    this.drained();
  }

  /** The delivery can accept events again. */
  drained(): void {
    if (this.#options.isEnding()) return;
    if (!this.#isBehind) {
      this.#follower?.onDrain();
      return;
    }
    this.#isBehind = false;
    this.#options.onBehind();
  }
}
