import { KeyRange } from '../../backend/key-range.js';
import { keyBytesOf } from '../../backend/key-record.js';
import type { Operation } from '../../backend/key-value-store.js';
import type { LeaseClock } from '../../backend/lease-clock.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { onAbort } from '../../timing/on-abort.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import type { CoordinationContext } from '../claim-keeper.js';
import { type GroupKeys, partitionName } from '../coordination-keys.js';
import { FollowedRange } from '../followed-range.js';
import { type InstanceIdentity, type Members, parseObject, textOf } from '../members.js';
import type { Participant } from '../participant.js';
import { isRefusal } from '../refusal.js';
import { CursorWriter } from './cursor-writer.js';
import type { GroupCheckpoints } from './group-checkpoints.js';
import { createGroup, type GroupConfig, mismatchOf, mismatchSentence } from './group-config.js';
import type { CursorStamp } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import { GroupResume } from './group-resume.js';
import { ParkedEvents } from './parked-events.js';
import { parkedName, parkedRecordOf, serializeParked } from './parked-record.js';
import { assignPartitions, claimRank } from './partition-assignment.js';
import { type ClaimedPartition, CursorProblem, PartitionClaimer } from './partition-claimer.js';
import type { GroupItem, ItemFailure } from './group-item.js';
import { partitionOf } from './partition-of.js';
import { PartitionOwner } from './partition-owner.js';

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

/** Between the attempts of two instances to claim a partition that its assigned owner does not claim. */
const RANK_MS = 25;

/** This instance's part in one handler group: it claims its share of the partitions and handles their events. */
export class GroupMember implements Participant {
  readonly #context: CoordinationContext;
  readonly #options: GroupMemberOptions;
  readonly #config: GroupConfig;
  readonly #claimer: PartitionClaimer;
  readonly #resume: GroupResume;
  readonly #stop = new AbortController();
  readonly #closing = new AbortController();
  /** Aborts when the configuration has changed: what was refused before may be possible now. */
  #retry = new AbortController();
  readonly #owned = new Map<number, PartitionOwner>();
  readonly #claiming = new Set<number>();
  readonly #claims = new Set<Promise<void>>();
  /** Number of claims that etcd has not answered yet. */
  #attempts = 0;
  /** Partitions that are not claimed before a wait has ended. */
  readonly #waiting = new Map<number, () => void>();
  readonly #reasons = new Map<number, ResyncNotice['reason']>();
  readonly #problems = new Map<number | 'group', string>();
  readonly #announcements = new Set<Promise<unknown>>();
  /** Called when this instance has given a partition up. */
  onGivenUp: (owner: PartitionOwner) => void = () => undefined;
  #configKey: FollowedRange | undefined;
  #ownerKeys: FollowedRange | undefined;
  /** The members when they were compared last. */
  #lastMembers = '';
  #isSettled = false;
  /** Partitions that were claimed because the assigned owner did not do it. They stay until the members change. */
  readonly #substituted = new Set<number>();
  #cancelSettle: (() => void) | undefined;
  #isCreating = false;
  #isPaused = false;
  #parked: ParkedEvents | undefined;

  constructor(context: CoordinationContext, options: GroupMemberOptions) {
    const { handler, keys, instance, stamp, listWatcher } = options;
    const { name, partitions, partitionBy, remember } = handler.options;
    this.#context = context;
    this.#options = options;
    this.#config = { target: handler.target, partitions, partitionBy };
    this.#claimer = new PartitionClaimer({
      group: name,
      partitions,
      keys,
      context,
      instance,
      stamp,
      onLost: (partition) => this.#owned.get(partition)?.claim.lose(),
    });
    this.#resume = new GroupResume({
      group: name,
      range: handler.range,
      ranges: context.ranges,
      keyValue: context.keyValue,
      listWatcher,
      configKey: keys.config,
      rememberedPrefix: remember === 'keys' ? keys.remembered : undefined,
      partitionOf: (key) => this.partitionOf(key),
      signal: this.#closing.signal,
    });
    options.members.onChange(() => {
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
    return [...this.#owned.values()];
  }

  /** The owners of the partitions as last seen. */
  get owners(): ReadonlyMap<number, { readonly instance: string; readonly pod: string; readonly token: number }> {
    const { owners: prefix } = this.#options.keys;
    const records = [...(this.#ownerKeys?.records.values() ?? [])];
    return new Map(
      records.map(({ rawKey, value, createRevision: token }) => {
        const { instance, pod } = parseObject(value);
        return [Number(rawKey.slice(prefix.length)), { instance: textOf(instance), pod: textOf(pod), token }];
      }),
    );
  }

  /** True if this instance has seen the group. */
  get isListed(): boolean {
    return this.#configKey?.isListed === true && this.#ownerKeys?.isListed === true;
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
    return [...new Set(this.#problems.values())];
  }

  /** The reason why this instance takes no part at all. */
  get problem(): string | undefined {
    return this.problems[0];
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** One line for the work in progress, such as `Orders.on: 2 events`. Empty while paused. */
  get busy(): readonly string[] {
    const { name } = this.#options.handler;
    if (this.#isPaused || this.#stop.signal.aborted) return [];
    const pending = this.owned.reduce((sum, { delivery }) => sum + delivery.pending, 0);
    if (pending > 0) return [`${name}: ${pending === 1 ? '1 event' : `${pending} events`}`];
    const isBusy = this.#claiming.size > 0 || this.owned.some((owner) => owner.isBusy);
    return isBusy ? [`${name}: partitions`] : [];
  }

  /** True if the group has no owner for a partition, or this instance has not seen the group yet. */
  get isDue(): boolean {
    if (this.#stop.signal.aborted || !this.#configKey || this.#problems.size > 0) return false;
    return this.owners.size < this.#config.partitions;
  }

  get ownersRange(): KeyRange {
    return KeyRange.of({ prefix: keyBytesOf(this.#options.keys.owners) });
  }

  /** `undefined`: the target does not contain the key. */
  partitionOf(key: string): number | undefined {
    const text = this.#options.handler.partitionKeyOf(key);
    return text === undefined ? undefined : partitionOf(text, this.#config.partitions);
  }

  /** Starts no further calls until `resume`. The partitions stay. */
  pause(): void {
    this.#isPaused = true;
    for (const { delivery } of this.owned) delivery.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const { delivery } of this.owned) delivery.resume();
  }

  start(): void {
    if (this.#configKey || this.#stop.signal.aborted) return;
    const { ranges } = this.#context;
    const { keys, checkpoints } = this.#options;
    this.#configKey = new FollowedRange(ranges, KeyRange.of({ key: keyBytesOf(keys.config) }));
    this.#ownerKeys = new FollowedRange(ranges, this.ownersRange);
    this.#parked = new ParkedEvents({
      ranges,
      keyValue: this.#context.keyValue,
      prefix: keys.parked,
      ownerOf: (key) => this.owned.find((owner) => owner.partition === this.partitionOf(key) && owner.isActive),
      onUnavailable: (sentence) => {
        this.#context.log.error(`${this.#options.handler.name}: ${sentence}`);
      },
      onDelayed: (sentence) => {
        this.#context.log.warn(`${this.#options.handler.name}: ${sentence}; retrying`);
      },
    });
    this.#configKey.onChange(() => {
      this.#retry.abort();
      this.#retry = new AbortController();
      this.#evaluate();
    });
    this.#ownerKeys.onChange(() => {
      this.#compareClaims();
      this.#evaluate();
    });
    checkpoints.start();
    this.#evaluate();
  }

  stop(): void {
    this.#stop.abort();
    this.#cancelSettle?.();
    for (const cancel of this.#waiting.values()) cancel();
  }

  async drain(): Promise<void> {
    this.stop();
    await Promise.all(this.#claims);
    await Promise.all(this.owned.map((owner) => owner.end()));
    await Promise.all(this.#announcements);
  }

  /** Aborts the signals of the running calls. */
  abort(reason: unknown): void {
    for (const { delivery } of this.owned) delivery.abort(reason);
  }

  get busyKeys(): readonly string[] {
    return this.owned.filter(({ claim }) => !claim.isReleased).map(({ claim }) => claim.rawKey);
  }

  close(): void {
    this.stop();
    this.#closing.abort(new Error('the module is closed'));
    this.#configKey?.close();
    this.#ownerKeys?.close();
    this.#parked?.close();
    for (const { receiver } of this.owned) receiver.follower?.close();
  }

  get #isActive(): boolean {
    return !this.#stop.signal.aborted && this.isListed;
  }

  /** Decides from what was seen last. Everything that it starts is safe if that is out of date. */
  #evaluate(): void {
    if (!this.#isActive) return;
    const { keys, members, instance } = this.#options;
    const stored = this.#configKey?.records.get(keys.config);
    if (!stored) {
      void this.#create();
      return;
    }
    if (!this.#checkConfig(stored.value)) return;
    members.announce('groups', this.name);
    const present = members.with('groups', this.name);
    this.#settle(present);
    if (!present.includes(instance.id)) return;
    const owners = new Map(Array.from(this.owners, ([partition, owner]) => [partition, owner.instance]));
    const { partitions } = this.#config;
    const assignment = assignPartitions({ group: this.name, partitions, members: present, owners });
    for (let partition = 0; partition < partitions; partition += 1) {
      const isAssigned = assignment.get(partition) === instance.id;
      const own = this.#owned.get(partition);
      if (own && !isAssigned && this.#isSettled && !this.#substituted.has(partition)) void own.end();
      if (own || this.#claiming.has(partition) || owners.has(partition)) continue;
      if (isAssigned) this.#beginClaim(partition, stored.revision);
      else this.#claimLater(partition, present);
    }
  }

  /** The assigned owner may be stuck: the others claim the partition after a while, one after the other. */
  #claimLater(partition: number, members: readonly string[]): void {
    if (this.#waiting.has(partition)) return;
    const { clock, ttlMs, instance } = this.#options;
    const waitMs = ttlMs / 3 + RANK_MS * claimRank(this.name, partition, members, instance.id);
    const cancel = clock.after(waitMs, () => {
      this.#waiting.delete(partition);
      const stored = this.#configKey?.records.get(this.#options.keys.config);
      const isFree = this.#ownerKeys?.records.has(this.#options.keys.owners + partitionName(partition)) === false;
      if (!this.#isActive || !stored || !isFree || this.#problems.size > 0) return;
      this.#substituted.add(partition);
      this.#beginClaim(partition, stored.revision);
    });
    this.#waiting.set(partition, cancel);
  }

  /** Partitions move to newcomers when the list of members has not changed for a while. */
  #settle(present: readonly string[]): void {
    const members = [...present].sort().join();
    if (members === this.#lastMembers) return;
    this.#lastMembers = members;
    this.#substituted.clear();
    this.#isSettled = false;
    this.#cancelSettle?.();
    this.#cancelSettle = this.#options.clock.after(this.#options.settleMs, () => {
      this.#isSettled = true;
      this.#evaluate();
    });
  }

  /** Returns false if this instance can take no part in the group as it is stored. */
  #checkConfig(stored: Buffer): boolean {
    const mismatch = mismatchOf(stored, this.#config);
    if (!mismatch) {
      this.#problems.delete('group');
      return true;
    }
    this.#report('group', mismatchSentence(this.name, this.#config, mismatch));
    this.#options.members.withdraw('groups', this.name);
    for (const owner of this.owned) void owner.end();
    return false;
  }

  async #create(): Promise<void> {
    if (this.#isCreating) return;
    this.#isCreating = true;
    const { keys, stamp, handler } = this.#options;
    const group = { config: this.#config, from: handler.options.from, stamp: stamp() };
    for (let failures = 0; !this.#stop.signal.aborted && this.#configKey?.records.size === 0; failures += 1) {
      try {
        await createGroup(this.#context.keyValue, keys, group);
        this.#problems.delete('group');
        await this.#configKey.until(() => this.#configKey?.records.size !== 0, AbortSignal.timeout(SEEN_LIMIT_MS));
      } catch (error) {
        await this.#pauseAfter('group', error, failures);
      }
    }
    this.#isCreating = false;
  }

  #beginClaim(partition: number, config: number): void {
    const claim = this.#claim(partition, config);
    this.#claims.add(claim);
    void claim.finally(() => this.#claims.delete(claim));
  }

  async #claim(partition: number, config: number): Promise<void> {
    const { signal } = this.#stop;
    this.#claiming.add(partition);
    this.#waiting.get(partition)?.();
    this.#waiting.delete(partition);
    this.#attempts += 1;
    let wait = (): Promise<void> | undefined => undefined;
    try {
      const claimed = await this.#claimer.claim(partition, config, signal);
      this.#problems.delete(partition);
      if (claimed) this.#own(partition, claimed);
      else wait = () => quietPause(BACKOFF.soon(0), signal);
    } catch (error) {
      wait = () => this.#pauseAfter(partition, error, 3);
    }
    this.#attempts -= 1;
    // The partitions that were claimed do not wait for one that cannot be claimed now.
    if (this.#attempts === 0) void this.#follow();
    await wait();
    this.#claiming.delete(partition);
    this.#evaluate();
  }

  #own(partition: number, { claim, cursor, cursorKey, createRevision, mayRepeat }: ClaimedPartition): void {
    const { handler, keys, stamp, transactionOperations, onUnexpected } = this.#options;
    const { keyValue, log } = this.#context;
    const closing = this.#closing.signal;
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
          this.#report(partition, `"${claim.fence.name}" cannot store its cursor: ${error.message}`);
        else if (error === undefined) this.#problems.delete(partition);
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
      rememberedPrefix: handler.options.remember === 'keys' ? keys.remembered : undefined,
      transactionOperations,
      log,
      closing,
      parkOperations: (item, failure) => this.#parkOperations(item, failure),
      onParked: () => {
        this.#context.observer?.eventParked(this.name);
      },
      onUnsaved: () => {
        this.#options.checkpoints.request(handler.options.everyMs);
      },
      onRefused: () => {
        this.#options.checkpoints.request(Math.max(handler.options.everyMs, REFUSED_MS));
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
        this.#reasons.set(partition, reason);
        owner.claim.lose();
      },
    });
    onAbort(claim.fence.signal, () => {
      if (claim.isLost && !this.#stop.signal.aborted) this.#context.observer?.claimLost('group');
    });
    if (this.#isPaused) owner.delivery.pause();
    this.#owned.set(partition, owner);
    void owner.whenEnded.then(() => {
      this.#owned.delete(partition);
      this.onGivenUp(owner);
      this.#evaluate();
    });
  }

  /** Lets the claimed partitions continue at their cursors. */
  async #follow(): Promise<void> {
    const owners = this.owned.filter((owner) => owner.isNew);
    for (const owner of owners) owner.isNew = false;
    for (let failures = 0; !this.#closing.signal.aborted; failures += 1) {
      try {
        await this.#resume.resume(owners, this.#reasons);
        this.#problems.delete('group');
        for (const { partition } of owners) this.#reasons.delete(partition);
        this.#parked?.redrive();
        return;
      } catch (error) {
        await this.#pauseAfter('group', error, failures);
      }
    }
  }

  /** A partition whose calls were slower than those of the others continues on its own. */
  async #followAlone(owner: PartitionOwner): Promise<void> {
    try {
      await this.#resume.followAgain(owner);
    } catch {
      // Its events are no longer there, or cannot be read: it continues at its cursor.
      void owner.end();
    }
  }

  #compareClaims(): void {
    const { revision = 0, records } = this.#ownerKeys ?? {};
    for (const { claim } of this.owned) {
      if (claim.isLost || claim.isReleased || claim.matches(records?.get(claim.rawKey))) continue;
      // A change that is older than the claim, or of another history after a restore: only etcd knows.
      if (revision > claim.fence.token) claim.lose();
      else if (revision > 0) claim.fence.verify().catch(() => undefined);
    }
  }

  #parkOperations({ subject, changes, entry, parked }: GroupItem, failure: ItemFailure): readonly Operation[] {
    if (parked) {
      const { rawKey, record } = parked;
      const attempts = record.attempts + failure.attempts;
      const value = serializeParked({ ...record, ...failure, attempts, redrive: undefined });
      return [{ type: 'put', rawKey, value }];
    }
    const { keys, handler, stamp } = this.#options;
    const { at } = stamp();
    const events = new Set('events' in subject ? subject.events : [subject]);
    return changes.flatMap((event, index) =>
      events.has(event)
        ? {
            type: 'put',
            rawKey: keys.parked + parkedName(entry.positions[index] ?? '', event),
            value: serializeParked(parkedRecordOf(event, failure, { mayStoreValue: handler.mayStoreValues, at })),
          }
        : [],
    );
  }

  #announce(call: () => unknown): void {
    const announcement = Promise.resolve(call());
    this.#announcements.add(announcement);
    void announcement.finally(() => this.#announcements.delete(announcement));
  }

  async #pauseAfter(subject: number | 'group', error: unknown, failures: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const isFinal = error instanceof CursorProblem || isRefusal(error);
    if (isFinal) this.#report(subject, sentenceOf(this.name, error));
    const ms = isFinal && failures > 2 ? BACKOFF.refused() : BACKOFF.soon(failures);
    await quietPause(ms, AbortSignal.any([signal, this.#retry.signal]));
  }

  #report(subject: number | 'group', sentence: string): void {
    if (this.#problems.get(subject) === sentence) return;
    if (!this.problems.includes(sentence)) this.#context.log.error(sentence);
    this.#problems.set(subject, sentence);
  }
}

/** A checkpoint that etcd has refused is repeated after this time, in milliseconds. */
const REFUSED_MS = 1_000;

/** After this, the configuration counts as missing again: the watch may be interrupted. */
const SEEN_LIMIT_MS = 1_000;

const sentenceOf = (group: string, error: CursorProblem | EtcdTriggerError): string =>
  error instanceof CursorProblem ? error.message : `the group "${group}" cannot go on: ${error.message}`;
