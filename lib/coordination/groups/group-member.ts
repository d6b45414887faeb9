import { counted } from '../../counted.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { LeaseClock } from '../../backend/lease-clock.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import { within } from '../../timing/time-limit.js';
import type { CoordinationContext } from '../claim-keeper.js';
import type { GroupKeys } from '../coordination-keys.js';
import type { InstanceIdentity, Members } from '../members.js';
import { type Participant, RELEASE_LIMIT_MS } from '../participant.js';
import { FollowedGroup, ownersRangeOf, type SeenOwner } from './followed-group.js';
import type { GroupCheckpoints } from './group-checkpoints.js';
import { type GroupConfig, mismatchOf, mismatchSentence } from './group-config.js';
import { GroupCreation } from './group-creation.js';
import type { CursorStamp } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import { GroupPartitions } from './group-partitions.js';
import { GroupProblems } from './group-problems.js';
import { ParkedEvents } from './parked-events.js';
import { PartitionClaimer } from './partition-claimer.js';
import { PartitionClaiming, type SeenGroup } from './partition-claiming.js';
import { partitionOf } from './partition-of.js';
import type { PartitionOwner } from './partition-owner.js';

export interface GroupMemberOptions {
  readonly handler: GroupHandler;
  readonly keys: GroupKeys;
  readonly instance: InstanceIdentity;
  readonly members: Members;
  readonly clock: LeaseClock;
  readonly settleMs: number;
  readonly ttlMs: number;
  readonly transactionOperations: number;
  readonly listWatcher: Pick<ListWatcher, 'list'>;
  readonly checkpoints: GroupCheckpoints;
  readonly stamp: () => CursorStamp;
  /** Called with one line for each unexpected failure of the delivery itself. */
  readonly onUnexpected: (error: unknown) => void;
}

/** This instance's part in one handler group: it claims its share of the partitions and handles their events. */
export class GroupMember implements Participant {
  readonly #context: CoordinationContext;
  readonly #options: GroupMemberOptions;
  readonly #config: GroupConfig;
  readonly #stop = new AbortController();
  readonly #closing = new AbortController();
  readonly #problems: GroupProblems;
  readonly #partitions: GroupPartitions;
  readonly #claiming: PartitionClaiming;
  readonly #creation: GroupCreation;
  #followed: FollowedGroup | undefined;
  #parked: ParkedEvents | undefined;
  /** Called when this instance has given a partition up. */
  onGivenUp: (owner: PartitionOwner) => void = () => undefined;

  constructor(context: CoordinationContext, options: GroupMemberOptions) {
    const { handler, keys, instance, stamp, members } = options;
    const { name: group, partitions, partitionBy } = handler.options;
    const { signal: stopping } = this.#stop;
    this.#context = context;
    this.#options = options;
    this.#config = { target: handler.target, partitions, partitionBy };
    this.#problems = new GroupProblems({ group, log: context.log, stopping });
    this.#partitions = new GroupPartitions({
      ...options,
      context,
      problems: this.#problems,
      partitionOf: (rawKey) => this.partitionOf(rawKey),
      stopping,
      closing: this.#closing.signal,
      onFollowing: () => {
        this.#parked?.redrive();
      },
      onEnded: (owner) => {
        this.onGivenUp(owner);
        this.#evaluate();
      },
    });
    const onLost = (partition: number): void => this.#partitions.get(partition)?.claim.lose();
    this.#claiming = new PartitionClaiming({
      ...options,
      group,
      partitions,
      instance: instance.id,
      owned: this.#partitions,
      claimer: new PartitionClaimer({ group, partitions, keys, context, instance, stamp, onLost }),
      problems: this.#problems,
      stopping,
      seen: () => (this.#isActive ? this.#seen : undefined),
      onChange: () => {
        this.#evaluate();
      },
    });
    this.#creation = new GroupCreation({
      ...options,
      keyValue: context.keyValue,
      config: this.#config,
      problems: this.#problems,
      stopping,
      followed: () => this.#followed,
    });
    members.onChange(() => {
      this.#evaluate();
    });
  }

  get name(): string {
    return this.#options.handler.options.name;
  }

  get handler(): GroupHandler {
    return this.#options.handler;
  }

  get keys(): GroupKeys {
    return this.#options.keys;
  }

  /** The partitions that this instance owns, until they are given up. */
  get owned(): readonly PartitionOwner[] {
    return this.#partitions.all;
  }

  /** The owners of the partitions as last seen. */
  get owners(): ReadonlyMap<number, SeenOwner> {
    return this.#followed?.owners ?? new Map<number, SeenOwner>();
  }

  /** True if this instance has seen the group. */
  get isListed(): boolean {
    return this.#followed?.isListed === true;
  }

  /** Number of parked events of all instances, as last seen. */
  get parkedCount(): number {
    return this.#parked?.count ?? 0;
  }

  /** The part of the options that etcd stores. */
  get config(): GroupConfig {
    return this.#config;
  }

  /** One sentence for each reason why this instance does not take part as it should. */
  get problems(): readonly string[] {
    return this.#problems.all;
  }

  /** The reason why this instance takes no part at all. */
  get problem(): string | undefined {
    return this.problems[0];
  }

  get isPaused(): boolean {
    return this.#partitions.isPaused;
  }

  /** One line for the work in progress, such as `Orders.on: 2 events`. Ignores paused and halted partitions. */
  get busy(): readonly string[] {
    const { name } = this.#options.handler;
    if (this.isPaused || this.#stop.signal.aborted) return [];
    const active = this.owned.filter(({ delivery }) => !delivery.isPaused);
    const pending = active.reduce((sum, { delivery }) => sum + delivery.pending, 0);
    if (pending > 0) return [`${name}: ${counted(pending, 'event')}`];
    const isBusy = this.#claiming.isBusy || this.owned.some((owner) => owner.isBusy);
    return isBusy ? [`${name}: partitions`] : [];
  }

  /** True if the group has no owner for a partition, or this instance has not seen the group yet. */
  get isDue(): boolean {
    if (this.#stop.signal.aborted || !this.#followed || this.#problems.all.length > 0) return false;
    return this.owners.size < this.#config.partitions;
  }

  get ownersRange(): KeyRange {
    return ownersRangeOf(this.#options.keys);
  }

  /** `undefined`: the target does not contain the key. */
  partitionOf(rawKey: string): number | undefined {
    return partitionOf(rawKey, this.#config.partitions, this.#options.handler.partitionText);
  }

  /** Starts no further calls until `resume`. The partitions stay. */
  pause(): void {
    this.#partitions.pause();
  }

  resume(): void {
    this.#partitions.resume();
  }

  start(): void {
    if (this.#followed || this.#stop.signal.aborted) return;
    const { keys, checkpoints } = this.#options;
    const { ranges } = this.#context;
    this.#followed = new FollowedGroup({
      ranges,
      keys,
      onConfig: () => {
        this.#problems.retryNow();
        this.#evaluate();
      },
      onOwners: () => {
        if (this.#followed) this.#partitions.compareWith(this.#followed);
        this.#evaluate();
      },
      onHistoryChanged: (reason) => {
        if (this.#followed) this.#partitions.historyChanged(reason, this.#followed);
      },
    });
    this.#parked = this.#parkedOf(this.#options);
    checkpoints.start();
    this.#evaluate();
  }

  stop(): void {
    this.#stop.abort();
    this.#claiming.stop();
    // Otherwise the others would leave its share to this instance for a while.
    this.#options.members.withdraw('groups', this.name);
  }

  async drain(): Promise<void> {
    this.stop();
    // A claim that etcd does not answer delays the end of no other partition. It undoes itself later.
    await Promise.all([within(this.#claiming.whenIdle(), RELEASE_LIMIT_MS), this.#partitions.end()]);
    await this.#partitions.end();
  }

  /** Aborts the signals of the running calls. */
  abort(reason: unknown): void {
    this.#partitions.abort(reason);
  }

  get busyKeys(): readonly string[] {
    return this.owned.filter(({ claim }) => !claim.isReleased).map(({ claim }) => claim.rawKey);
  }

  close(): void {
    this.stop();
    this.#closing.abort(new Error('the module is closed'));
    this.#followed?.close();
    this.#parked?.close();
    this.#partitions.close();
  }

  get #isActive(): boolean {
    return !this.#stop.signal.aborted && this.isListed;
  }

  /** `undefined`: the group has no configuration yet. */
  get #seen(): SeenGroup | undefined {
    const stored = this.#followed?.config;
    const owners = new Map(Array.from(this.owners, ([partition, { instance }]) => [partition, instance]));
    return stored && { config: stored.revision, owners };
  }

  #parkedOf({ keys, handler }: GroupMemberOptions): ParkedEvents {
    const { ranges, keyValue, log } = this.#context;
    return new ParkedEvents({
      ranges,
      keyValue,
      prefix: keys.parked,
      ownerOf: (rawKey) => this.owned.find((owner) => owner.partition === this.partitionOf(rawKey) && owner.isActive),
      onUnavailable: (sentence) => {
        log.error(`${handler.name}: ${sentence}`);
      },
      onDelayed: (sentence) => {
        log.warn(`${handler.name}: ${sentence}; retrying`);
      },
    });
  }

  /** Decides from what was seen last. Everything that it starts is safe if that is out of date. */
  #evaluate(): void {
    if (!this.#isActive) return;
    const { members } = this.#options;
    const stored = this.#followed?.config;
    const seen = this.#seen;
    if (!stored || !seen) {
      this.#creation.begin();
      return;
    }
    if (!this.#checkConfig(stored.value)) return;
    members.announce('groups', this.name);
    this.#claiming.evaluate(seen, members.with('groups', this.name));
  }

  /** Returns false if this instance can take no part in the group as it is stored. */
  #checkConfig(stored: Buffer): boolean {
    const mismatch = mismatchOf(stored, this.#config);
    if (!mismatch) {
      this.#problems.clear('config');
      return true;
    }
    this.#problems.report('config', mismatchSentence(this.name, this.#config, mismatch));
    this.#options.members.withdraw('groups', this.name);
    for (const owner of this.owned) void owner.end();
    return false;
  }
}
