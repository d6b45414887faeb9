import type { Operation } from '../../backend/key-value-store.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import { FenceLostError } from '../../etcd-trigger.errors.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { quoted } from '../../foreign/foreign-text.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { Deferred } from '../../timing/deferred.js';
import { onAbort } from '../../timing/on-abort.js';
import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import type { ResyncNotice, WatchFailure } from '../../watch/watch-event.js';
import type { Claim } from '../claim.js';
import type { CursorOutcome, CursorWriter } from './cursor-writer.js';
import type { GroupCursor } from './group-cursor.js';
import type { FollowingPartition, GroupFollower } from './group-follower.js';
import type { GroupEffects, GroupHandler } from './group-handler.js';
import { type CursorPlanOptions, PartitionCursor } from './partition-cursor.js';
import { serializeParked } from './parked-record.js';
import { type GroupItem, type ItemFailure, type ParkedSource, PartitionDelivery } from './partition-delivery.js';
import { PartitionIntake, type PlacedEvent } from './partition-intake.js';

export interface PartitionOwnerOptions {
  readonly partition: number;
  readonly claim: Claim;
  /** The cursor as it was stored with the claim. */
  readonly cursor: GroupCursor;
  /** True if the last owner may have called the handler with events that are not handled. */
  readonly mayRepeat: boolean;
  readonly writer: CursorWriter;
  readonly handler: GroupHandler;
  readonly rememberedPrefix: string | undefined;
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
  #follower: GroupFollower | undefined;
  /** Revisions that wait for the end of all earlier events, because one of them is the difference after lost history. */
  #held: [ChangeBatch, readonly PlacedEvent[], ResyncNotice | undefined][] = [];
  #isBehind = false;
  #notice: ResyncNotice | undefined;
  #storingBegun: Promise<void> | undefined;
  /** A write that is not planned yet. */
  #storing: Promise<boolean> | undefined;
  /** The deletions of parked events that were handled, by raw key. */
  readonly #removals = new Map<string, Promise<boolean>>();
  #end: Promise<void> | undefined;
  readonly #ended = new Deferred();
  /** True until somebody lets it continue at its cursor. */
  isNew = true;
  #hasBegun = false;

  constructor(options: PartitionOwnerOptions) {
    const { partition, claim, writer, handler, cursor, mayRepeat, rememberedPrefix, log } = options;
    const { token } = claim.fence;
    this.#options = options;
    this.partition = partition;
    this.claim = claim;
    this.writer = writer;
    this.cursor = new PartitionCursor({ cursor, token, rememberedPrefix });
    const { progress } = this.cursor;
    this.delivery = new PartitionDelivery({
      group: handler,
      fence: claim.fence,
      progress,
      log,
      windowSize: () => this.cursor.windowSize,
      isBlocked: () => this.cursor.unsaved >= handler.options.everyEvents || this.cursor.hasManyKeys,
      before: (item) => this.#before(item),
      commit: (item, build) => this.#commit(item, build),
      park: (item, failure) => this.#park(item, failure),
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
      mayBeRepeated: (revision, isPhase) => mayRepeat && (isPhase ? cursor.r > 0 : revision <= token),
      poison: this.cursor.poison,
      was: cursor.was,
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
    if (this.#follower && this.#held.length === 0) this.cursor.progress.seen(this.#follower.revision);
  }

  /** True if the lost history has been replaced by a list. */
  get hasResync(): boolean {
    return this.#notice !== undefined;
  }

  /** The history after the cursor is lost: the list at `revision` is handled instead. */
  beginResync(revision: number, reason: ResyncNotice['reason']): void {
    const { progress } = this.cursor;
    const before = progress.snapshot();
    // A store whose revision is lower has another history, of which nothing is known to be handled.
    progress.beginPhase('resync', revision, before.r <= revision ? before : undefined);
    this.cursor.begun();
    this.#notice ??= this.#noticeOf(before.r + 1, revision, reason);
  }

  /** A former owner may have ended before its notice was handled, and with deletions that only it knew. */
  #announceResync(revision: number): void {
    const { base } = this.cursor.progress.snapshot();
    const notice = this.#notice ?? this.#noticeOf((base?.r ?? 0) + 1, revision, base ? 'compacted' : 'restored');
    this.#options.onResync(notice);
  }

  #noticeOf(fromRevision: number, toRevision: number, reason: ResyncNotice['reason']): ResyncNotice {
    const { range, options } = this.#options.handler;
    const deletionsKnown = options.remember === 'keys';
    const { partition } = this;
    return { target: range.target, fromRevision, toRevision, reason, deletionsKnown, group: options.name, partition };
  }

  /** Begins to receive. `phase`: the events of a list that are not handled yet. */
  start(follower: GroupFollower, phase?: { readonly revision: number; readonly events: readonly ChangeEvent[] }): void {
    this.#follower = follower;
    this.#hasBegun = true;
    if (!phase) return;
    const { progress } = this.cursor;
    if (progress.phase === 'resync') this.#announceResync(phase.revision);
    this.cursor.begun();
    this.#intake.phase(phase.revision, phase.events);
  }

  canAccept(count: number): boolean {
    return this.#held.length === 0 && this.delivery.canAccept(count);
  }

  receive(batch: ChangeBatch, events: readonly PlacedEvent[], notice: ResyncNotice | undefined): void {
    if (this.isEnding || (!notice && batch.revision <= this.cursor.progress.revision)) return;
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
    await this.#removals.get(parked.rawKey);
    this.#removals.delete(parked.rawKey);
  }

  /** Keeps an event parked that was redriven. */
  async keepParked({ rawKey, record }: ParkedSource): Promise<void> {
    const value = serializeParked({ ...record, redrive: undefined });
    await this.#writeWith([{ type: 'put', rawKey, value }]);
  }

  fallBehind(revision: number): void {
    // Revisions that are held are not part of the progress yet.
    if (this.#held.length === 0) this.cursor.progress.seen(revision);
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
    const { rawKey } = this.claim;
    try {
      await this.#storeKeys();
      await this.#write(() => {
        const plan = this.cursor.plan({ release: true, interrupted: this.delivery.hasInterrupted });
        return { ...plan, operations: [...(plan.operations ?? []), { type: 'delete', rawKey }] };
      });
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
    return (this.#storing ??= this.#storeOnce());
  }

  async #storeOnce(): Promise<boolean> {
    try {
      return await this.#write(() => {
        this.#storing = undefined;
        this.catchUp();
        return this.cursor.plan();
      });
    } catch {
      // `CursorWriter` has reported the refusal.
      this.#options.onRefused();
      return false;
    } finally {
      this.delivery.admit();
    }
  }

  /** Stores the remembered keys, so that the next write has room for others. */
  async #storeKeys(): Promise<void> {
    while (this.cursor.hasKeys && (await this.store()));
  }

  /** Resolves to false if nothing was written. `onStored` is called before the next write is planned. */
  async #write(make: () => CursorPlan, onStored: () => void = () => undefined): Promise<boolean> {
    const { kind } = await this.writer.write(make, (outcome, plan) => {
      this.#settle(outcome, plan, onStored);
    });
    return kind === 'applied';
  }

  #settle({ kind }: CursorOutcome, plan: CursorPlan, onStored: () => void): void {
    if (kind === 'applied') {
      onStored();
      this.cursor.stored(plan);
    } else if (kind !== 'refused') this.claim.lose();
  }

  #finished({ entry, subject, isStored, parked }: GroupItem): void {
    const { everyEvents } = this.#options.handler.options;
    if (parked) {
      const { rawKey } = parked;
      if (isStored !== true) this.#removals.set(rawKey, this.#writeWith([{ type: 'delete', rawKey }]));
      return;
    }
    if (isStored !== true) this.cursor.finish(entry, subject);
    const { unsaved, hasManyKeys } = this.cursor;
    if (hasManyKeys || unsaved >= Math.ceil(everyEvents / 2)) void this.store();
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

  /** Writes in one transaction with the cursor. Resolves to false if nothing was written. */
  async #writeWith(operations: readonly Operation[]): Promise<boolean> {
    try {
      return await this.#write(() => this.#planWith(operations));
    } catch {
      // `CursorWriter` has reported the refusal.
      return false;
    }
  }

  #planWith(operations: readonly Operation[], options?: CursorPlanOptions): CursorPlan {
    const plan = this.cursor.plan(options);
    return { ...plan, operations: [...operations, ...(plan.operations ?? [])] };
  }

  #before({ entry, failure }: GroupItem): Promise<void> | undefined {
    return failure || !this.cursor.begin(entry) ? undefined : this.#storeBegun();
  }

  /** One write for all calls that begin before it is planned. */
  #storeBegun(): Promise<void> {
    return (this.#storingBegun ??= this.#write(() => {
      this.#storingBegun = undefined;
      this.catchUp();
      return this.cursor.plan();
    }).then(
      () => undefined,
      () => undefined,
    ));
  }

  async #commit(item: GroupItem, build: (tx: ConfigTransaction) => void): Promise<void> {
    const { handler } = this.#options;
    const { entry, subject } = item;
    const what = `commit() of ${handler.name}`;
    const effects = await handler.planEffects(what, build);
    await this.#storeKeys();
    const write = ({ conditions, operations }: GroupEffects): Promise<CursorOutcome> =>
      this.writer.write(
        () => {
          this.catchUp();
          const plan = this.cursor.plan(item.parked ? {} : { also: { entry, subject } });
          const handled: Operation[] = item.parked ? [{ type: 'delete', rawKey: item.parked.rawKey }] : [];
          return { ...plan, conditions, operations: [...operations, ...(plan.operations ?? []), ...handled] };
        },
        (result, plan) => {
          this.#settle(result, plan, () => {
            this.#stored(item);
          });
        },
      );
    const outcome = await write(effects).catch(async (error: unknown) => write(await effects.renewed(error)));
    if (outcome.kind === 'applied' || outcome.kind === 'refused') return effects.outcome(outcome.result);
    if (outcome.kind === 'unknown') throw outcome.error;
    const { name, token } = this.claim.fence;
    throw new FenceLostError(
      `${what}: this instance no longer owns ${quoted(name)} (token ${token}); nothing was written and nothing will be`,
    );
  }

  /** The item was handled, and the same write has stored that. */
  #stored(item: GroupItem): void {
    item.isFinished = true;
    item.isStored = true;
    if (!item.parked) this.cursor.committed(item.entry);
  }

  /** Resolves to false if the partition was lost before. */
  async #park(item: GroupItem, failure: ItemFailure): Promise<boolean> {
    const { closing, parkOperations, log, onParked, handler } = this.#options;
    const { entry, subject } = item;
    for (let failures = 0; !this.claim.isLost && !closing.aborted; failures += 1) {
      try {
        await this.#storeKeys();
        const operations = [...parkOperations(item, failure)];
        // A batch may have more events than fit into a transaction.
        while (operations.length > MAX_PARKED) {
          const first = operations.splice(0, MAX_PARKED);
          if (!(await this.#write(() => this.#planWith(first)))) return false;
        }
        const make = (): CursorPlan => this.#planWith(operations, item.parked ? {} : { also: { entry, subject } });
        const isStored = await this.#write(make, () => {
          this.#stored(item);
        });
        if (!isStored) return false;
        onParked();
        return true;
      } catch (error) {
        if (failures === 0) log.warn(`an event of ${handler.name} cannot be parked yet: ${messageOf(error)}; retrying`);
        await quietPause(BACKOFF.soon(failures), closing);
      }
    }
    return false;
  }
}

/** The number of parked events in one transaction, each of which may have a value of 64 KiB. */
const MAX_PARKED = 10;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'it failed unexpectedly');

type CursorPlan = ReturnType<PartitionCursor['plan']>;
