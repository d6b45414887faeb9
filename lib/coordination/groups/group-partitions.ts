import type { ListWatcher } from '../../backend/list-watcher.js';
import { onAbort } from '../../timing/on-abort.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import type { CoordinationContext } from '../claim-keeper.js';
import type { GroupKeys } from '../coordination-keys.js';
import type { InstanceIdentity } from '../members.js';
import { isRefusal } from '../refusal.js';
import { CursorWriter } from './cursor-writer.js';
import type { FollowedGroup } from './followed-group.js';
import type { GroupCheckpoints } from './group-checkpoints.js';
import type { CursorStamp } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import type { GroupProblems } from './group-problems.js';
import { GroupResume } from './group-resume.js';
import { parkOperations } from './park-operations.js';
import type { ClaimedPartition } from './partition-claimer.js';
import { PartitionOwner } from './partition-owner.js';
import { UndeclaredHistory } from './undeclared-history.js';

export interface GroupPartitionsOptions {
  readonly context: CoordinationContext;
  readonly handler: GroupHandler;
  readonly keys: GroupKeys;
  readonly instance: InstanceIdentity;
  readonly stamp: () => CursorStamp;
  readonly transactionOperations: number;
  readonly checkpoints: GroupCheckpoints;
  readonly problems: GroupProblems;
  readonly listWatcher: Pick<ListWatcher, 'list'>;
  /** `undefined`: the target does not contain the key. */
  readonly partitionOf: (rawKey: string) => number | undefined;
  /** Aborts when the instance begins to give its partitions up. */
  readonly stopping: AbortSignal;
  /** Ends all retries. */
  readonly closing: AbortSignal;
  /** Called with one line for each unexpected failure of the delivery itself. */
  readonly onUnexpected: (error: unknown) => void;
  /** Partitions have begun to follow the target, or follow it again. */
  readonly onFollowing: () => void;
  /** Nothing is left of a partition. */
  readonly onEnded: (owner: PartitionOwner) => void;
}

/** A checkpoint that etcd has refused is repeated after this time, in milliseconds. */
const REFUSED_MS = 1_000;

/** The partitions of a group that this instance owns. */
export class GroupPartitions {
  readonly #options: GroupPartitionsOptions;
  readonly #owned = new Map<number, PartitionOwner>();
  readonly #undeclared = new UndeclaredHistory();
  readonly #announcements = new Set<Promise<unknown>>();
  readonly #resume: GroupResume;
  #isPaused = false;

  constructor(options: GroupPartitionsOptions) {
    const { context, handler, keys, closing } = options;
    const { name: group, remember } = handler.options;
    this.#options = options;
    this.#resume = new GroupResume({
      ...context,
      ...options,
      group,
      range: handler.range,
      configKey: keys.config,
      rememberedPrefix: remember === 'keys' ? keys.remembered : undefined,
      signal: closing,
    });
  }

  /** All of them, until they are given up. */
  get all(): readonly PartitionOwner[] {
    return [...this.#owned.values()];
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get(partition: number): PartitionOwner | undefined {
    return this.#owned.get(partition);
  }

  pause(): void {
    this.#isPaused = true;
    for (const { delivery } of this.all) delivery.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const { delivery } of this.all) delivery.resume();
  }

  /** Gives all of them up. Resolves when nothing of them is left. */
  async end(): Promise<void> {
    await Promise.all(this.all.map((owner) => owner.end()));
    await Promise.all(this.#announcements);
  }

  /** Aborts the signals of the running calls. No further ones start: they would pass those that are cut off. */
  abort(reason: unknown): void {
    for (const owner of this.all) {
      void owner.end();
      owner.delivery.abort(reason);
    }
  }

  close(): void {
    for (const { receiver } of this.all) receiver.follower?.close();
  }

  /** Takes a partition over. It handles nothing before `follow`. */
  own(partition: number, { claim, cursor, cursorKey, createRevision, mayRepeat }: ClaimedPartition): void {
    const { handler, keys, stamp, transactionOperations, problems, checkpoints, stopping, closing, onUnexpected } =
      this.#options;
    const { keyValue, log, observer } = this.#options.context;
    const { name, everyMs, remember } = handler.options;
    const writer = new CursorWriter({
      rawKey: cursorKey,
      claim,
      cursor,
      revision: claim.fence.token,
      keyValue,
      stamp,
      closing,
      onAnswer: (error) => {
        if (isRefusal(error))
          problems.report(partition, `"${claim.fence.name}" cannot store its cursor: ${error.message}`);
        else if (error === undefined) problems.clear(partition);
      },
    });
    const owner = new PartitionOwner({
      partition,
      claim,
      cursor,
      createRevision,
      mayRepeat,
      writer,
      handler,
      rememberedPrefix: remember === 'keys' ? keys.remembered : undefined,
      transactionOperations,
      log,
      closing,
      stopping,
      parkOperations: (item, failure) =>
        parkOperations(item, failure, {
          prefix: keys.parked,
          mayStoreValue: handler.mayStoreValues,
          at: stamp().at,
        }),
      onParked: () => {
        observer?.eventParked(name);
      },
      onUnsaved: () => {
        checkpoints.request(everyMs);
      },
      onRefused: () => {
        checkpoints.request(Math.max(everyMs, REFUSED_MS));
      },
      onFailure: (failure) => {
        this.#announce(() => handler.onError(failure));
      },
      onResync: (notice) => {
        this.#announce(() => handler.onResync(notice));
      },
      onUnexpected,
      onBehind: (behind) => void this.#followAlone(behind),
      onHistoryChanged: (reason) => {
        this.#undeclared.note(partition, reason, claim.fence.token);
        owner.claim.lose();
      },
    });
    this.#add(owner);
  }

  /** Lets the partitions that were taken over continue at their cursors. */
  async follow(): Promise<void> {
    const { problems, closing, onFollowing } = this.#options;
    const owners = this.all.filter((owner) => owner.isNew);
    for (const owner of owners) owner.isNew = false;
    for (let failures = 0; !closing.aborted; failures += 1) {
      try {
        await this.#resume.resume(owners, this.#undeclared);
        problems.clear('group');
        for (const { partition, receiver } of owners) if (receiver.hasBegun) this.#undeclared.declared(partition);
        onFollowing();
        return;
      } catch (error) {
        await problems.pauseAfter('group', error, failures);
      }
    }
  }

  /** Gives up what belongs to another instance according to the owner keys as they were seen last. */
  compareWith(followed: FollowedGroup): void {
    const { revision, records } = followed.ownerKeys;
    this.#undeclared.seen(this.#othersIn(followed));
    for (const { claim } of this.all) {
      if (claim.isLost || claim.isReleased || claim.matches(records.get(claim.rawKey))) continue;
      // A change that is older than the claim, or of another history after a restore: only etcd knows.
      if (revision > claim.fence.token) claim.lose();
      else if (revision > 0) claim.fence.verify().catch(() => undefined);
    }
  }

  /** The store has another history. The partitions that follow the target note it themselves. */
  historyChanged(reason: ResyncNotice['reason'], { owners }: FollowedGroup): void {
    const { partitions } = this.#options.handler.options;
    for (let partition = 0; partition < partitions; partition += 1) {
      if (this.get(partition)?.isActive === true) continue;
      this.#undeclared.note(partition, reason, owners.get(partition)?.token);
    }
  }

  /** The tokens of other instances by partition. */
  #othersIn({ owners }: FollowedGroup): Map<number, number> {
    const others = [...owners].filter(([, { instance }]) => instance !== this.#options.instance.id);
    return new Map(others.map(([partition, { token }]) => [partition, token]));
  }

  #add(owner: PartitionOwner): void {
    const { context, stopping, onEnded } = this.#options;
    const { claim, partition } = owner;
    onAbort(claim.fence.signal, () => {
      if (claim.isLost && !stopping.aborted) context.observer?.claimLost('group');
    });
    if (this.#isPaused) owner.delivery.pause();
    this.#owned.set(partition, owner);
    void owner.whenEnded.then(() => {
      this.#owned.delete(partition);
      onEnded(owner);
    });
  }

  /** A partition whose calls were slower than those of the others continues on its own. */
  async #followAlone(owner: PartitionOwner): Promise<void> {
    try {
      await this.#resume.followAgain(owner);
      this.#options.onFollowing();
    } catch {
      // Its events are no longer there, or cannot be read: it continues at its cursor.
      void owner.end();
    }
  }

  #announce(call: () => unknown): void {
    const announcement = Promise.resolve(call());
    this.#announcements.add(announcement);
    void announcement.finally(() => this.#announcements.delete(announcement));
  }
}
