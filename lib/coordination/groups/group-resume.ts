import { WatchError } from '../../etcd-trigger.errors.js';
import { KeyRange } from '../../backend/key-range.js';
import { keyBytesOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { CompactedError, FutureRevisionError, type ListWatcher } from '../../backend/list-watcher.js';
import type { SharedRanges } from '../../watch/sharing/shared-ranges.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import { isHandled } from './group-cursor.js';
import { type FollowedList, GroupFollower } from './group-follower.js';
import { phaseEvents } from './list-plan.js';
import type { PartitionCursor } from './partition-cursor.js';
import type { PartitionOwner } from './partition-owner.js';
import { type RememberedKey, rememberedKeyOf } from './remembered-keys.js';
import type { UndeclaredHistory } from './undeclared-history.js';

export interface GroupResumeOptions {
  readonly group: string;
  readonly range: KeyRange;
  readonly ranges: SharedRanges;
  readonly keyValue: KeyValueStore;
  readonly listWatcher: Pick<ListWatcher, 'list'>;
  /** A key of the group: reading it shows the newest revision. */
  readonly configKey: string;
  /** Raw prefix of the remembered keys; `undefined`: nothing is remembered. */
  readonly rememberedPrefix: string | undefined;
  /** `undefined`: the target does not contain the key. */
  readonly partitionOf: (rawKey: string) => number | undefined;
  readonly signal: AbortSignal;
}

/** Lets partitions continue at their cursors: those that begin together share one list and one watch. */
export class GroupResume {
  readonly #options: GroupResumeOptions;

  constructor(options: GroupResumeOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all of the partitions are following, or have ended.
   * @param undeclared why the history of a partition is another one, if that is known
   * @throws EtcdTriggerError if etcd refuses a list; the call may be repeated for the partitions that are not following
   */
  async resume(owners: readonly PartitionOwner[], undeclared: Pick<UndeclaredHistory, 'reasonOf'>): Promise<void> {
    const waiting = owners.filter((owner) => !owner.isEnding && !owner.receiver.hasBegun);
    if (waiting.length === 0) return;
    const steady: PartitionOwner[] = [];
    const listed = new Map<number, PartitionOwner[]>();
    for (const owner of waiting) {
      const { progress } = owner.cursor;
      const reason = undeclared.reasonOf(owner.partition);
      if (reason !== undefined && !owner.receiver.hasResync) owner.receiver.beginResync(await this.#now(), reason);
      if (progress.phase === undefined && !owner.cursor.needsNames) steady.push(owner);
      else listed.set(progress.revision, [...(listed.get(progress.revision) ?? []), owner]);
    }
    await allEnded([
      this.#steady(steady),
      ...Array.from(listed, ([revision, together]) => this.#follow(together, revision)),
    ]);
  }

  /**
   * Lets a partition continue after the events that it has received.
   * @throws EtcdTriggerError if etcd does not hold the history, or refuses the list
   */
  async followAgain(owner: PartitionOwner): Promise<void> {
    const { ranges, range, partitionOf, signal } = this.#options;
    const follower = new GroupFollower(ranges, range, owner.cursor.progress.revision, partitionOf);
    let isUsed = false;
    try {
      const list = await follower.whenListed(signal);
      if (owner.cursor.foreignTo(list.clusterId)) throw new WatchError('the cluster is another one');
      isUsed = !owner.isEnding;
      if (!isUsed) return;
      owner.receiver.start(follower);
      follower.start([owner.receiver]);
    } finally {
      if (!isUsed) follower.close();
    }
  }

  /** From the lowest of their cursors: each skips what it has handled. */
  async #steady(owners: readonly PartitionOwner[]): Promise<void> {
    if (owners.length === 0) return;
    await this.#follow(owners, Math.min(...owners.map(({ cursor }) => cursor.progress.revision)));
  }

  async #follow(owners: readonly PartitionOwner[], revision: number): Promise<void> {
    const { ranges, range, partitionOf, signal } = this.#options;
    const follower = new GroupFollower(ranges, range, revision, partitionOf);
    let isUsed = false;
    try {
      const list = await follower.whenListed(signal);
      const { clusterId } = list;
      const own = owners.filter(({ cursor }) => !cursor.foreignTo(clusterId));
      isUsed = await this.#start(own, follower, list);
      for (const reason of ['cluster-changed', 'restored'] as const) {
        const foreign = owners.filter(({ cursor }) => cursor.foreignTo(clusterId) === reason);
        await this.#resync(foreign, reason, clusterId);
      }
    } catch (error) {
      const reason = error instanceof CompactedError ? 'compacted' : 'restored';
      if (!(error instanceof CompactedError || error instanceof FutureRevisionError)) throw error;
      const lost = owners.filter(({ cursor }) => cursor.progress.revision === revision);
      // A cursor in the future of the store is not from its history.
      const foreign = reason === 'restored' ? '' : undefined;
      await allEnded([
        this.#resync(lost, reason, foreign),
        this.#steady(owners.filter((owner) => !lost.includes(owner))),
      ]);
    } finally {
      if (!isUsed) follower.close();
    }
  }

  /** Returns true if a partition uses the follower. */
  async #start(owners: readonly PartitionOwner[], follower: GroupFollower, list: FollowedList): Promise<boolean> {
    const needsNames = owners.some(
      ({ cursor }) => cursor.needsNames || cursor.isFirst || cursor.progress.phase === 'resync',
    );
    const stored = needsNames ? await this.#remembered() : [];
    const present = owners.filter((owner) => !owner.isEnding);
    for (const owner of present) {
      const { cursor } = owner;
      const { progress } = cursor;
      cursor.belongsTo(list.clusterId);
      const { phase } = progress;
      const includes = (rawKey: string): boolean => this.#options.partitionOf(rawKey) === owner.partition;
      const names = stored.filter(({ rawKey }) => includes(rawKey));
      if (cursor.needsNames) rememberAll(cursor, list, names, includes);
      else if (cursor.isFirst) forgetAbsent(cursor, list, names);
      else if (phase === 'resync') forgetHandled(cursor, names);
      const remembered = phase === 'resync' && !cursor.isFirst ? names : undefined;
      const events = phase && phaseEvents(progress.snapshot(), { ...list, remembered }, includes);
      owner.receiver.start(follower, events && { revision: list.revision, events });
    }
    follower.start(present.map(({ receiver }) => receiver));
    for (const owner of present) {
      owner.delivery.admit();
      // The next owner would list again, and not see each change since this list.
      if (owner.cursor.progress.phase === 'resync' || owner.cursor.keys.isFull) void owner.store();
    }
    return present.length > 0;
  }

  /** @param foreign the id of the cluster, if the cursors belong to another history */
  async #resync(owners: readonly PartitionOwner[], reason: ResyncNotice['reason'], foreign?: string): Promise<void> {
    if (owners.length === 0) return;
    const now = await this.#now();
    for (const { receiver } of owners) receiver.beginResync(now, reason, foreign);
    await this.#follow(owners, now);
  }

  async #now(): Promise<number> {
    return (await this.#options.keyValue.get(this.#options.configKey)).revision;
  }

  async #remembered(): Promise<readonly RememberedKey[]> {
    const { rememberedPrefix: prefix, listWatcher, signal } = this.#options;
    if (prefix === undefined) return [];
    const { records } = await listWatcher.list(KeyRange.of({ prefix: keyBytesOf(prefix) }), { signal });
    return Array.from(records.values(), ({ rawKey, value }) => rememberedKeyOf(rawKey, value, prefix));
  }
}

/** Rejects only when all of them have ended: a repetition must not let a partition begin twice. */
async function allEnded(attempts: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(attempts);
  await Promise.all(attempts);
}

/** The names of the keys that were there at the cursor replace those that are stored. */
function rememberAll(
  cursor: PartitionCursor,
  { records }: FollowedList,
  names: readonly RememberedKey[],
  includes: (rawKey: string) => boolean,
): void {
  cursor.keys.addPresent(records.map(({ rawKey }) => rawKey).filter(includes));
  forgetAbsent(cursor, { records }, names);
  cursor.namesAdded();
}

/** The names of keys that are not in the list are those of a former life of the group. */
function forgetAbsent(
  { keys }: PartitionCursor,
  { records }: Pick<FollowedList, 'records'>,
  names: readonly RememberedKey[],
): void {
  const present = new Set(records.map(({ rawKey }) => rawKey));
  keys.addAbsent(names.map(({ rawKey }) => rawKey).filter((rawKey) => !present.has(rawKey)));
}

/** A former owner may have ended before it has deleted the names of keys whose deletions were handled. */
function forgetHandled({ keys, progress }: PartitionCursor, names: readonly RememberedKey[]): void {
  const handled = progress.snapshot();
  const isForgotten = ({ rawKey, deletedAt }: RememberedKey): boolean =>
    deletedAt !== undefined && isHandled(handled, deletedAt, rawKey);
  keys.addAbsent(names.filter(isForgotten).map(({ rawKey }) => rawKey));
}
