import type { LeaseClock } from '../../backend/lease-clock.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { GroupPartitions } from './group-partitions.js';
import type { GroupProblems } from './group-problems.js';
import { assignPartitions, claimRank } from './partition-assignment.js';
import type { PartitionClaimer } from './partition-claimer.js';

export interface PartitionClaimingOptions {
  readonly group: string;
  /** Number of partitions. */
  readonly partitions: number;
  /** The id of this instance. */
  readonly instance: string;
  readonly owned: GroupPartitions;
  readonly claimer: PartitionClaimer;
  readonly problems: GroupProblems;
  readonly clock: LeaseClock;
  /** Milliseconds for which the members must be unchanged before partitions move to newcomers. */
  readonly settleMs: number;
  readonly ttlMs: number;
  readonly stopping: AbortSignal;
  /** The state as it was seen last; `undefined` if this instance takes no part now. */
  readonly seen: () => SeenGroup | undefined;
  /** The state is to be evaluated again. */
  readonly onChange: () => void;
}

/** A group as one instance has seen it. May be out of date. */
export interface SeenGroup {
  /** Revision of the group's configuration. */
  readonly config: number;
  /** Ids of the instances that take part, by partition. */
  readonly owners: ReadonlyMap<number, string>;
}

/** Between the attempts of two instances to claim a partition that its assigned owner does not claim. */
const RANK_MS = 25;

/** Decides which partitions this instance claims and gives up. Whatever it decides is safe: the claims are fenced. */
export class PartitionClaiming {
  readonly #options: PartitionClaimingOptions;
  readonly #claiming = new Set<number>();
  readonly #claims = new Set<Promise<void>>();
  /** Number of claims that etcd has not answered yet. */
  #unanswered = 0;
  /** Partitions that are not claimed before a wait has ended. */
  readonly #waiting = new Map<number, () => void>();
  /** Partitions that were claimed because the assigned owner did not do it. They stay until the members change. */
  readonly #substituted = new Set<number>();
  /** The members when they were compared last. */
  #lastMembers = '';
  #isSettled = false;
  #cancelSettle: (() => void) | undefined;

  constructor(options: PartitionClaimingOptions) {
    this.#options = options;
  }

  /** True while partitions are being claimed. */
  get isBusy(): boolean {
    return this.#claiming.size > 0;
  }

  /** Claims and gives up partitions according to the members of the group. */
  evaluate({ config, owners }: SeenGroup, members: readonly string[]): void {
    this.#settle(members);
    const { group, partitions, instance, owned, problems } = this.#options;
    if (!members.includes(instance)) return;
    const assignment = assignPartitions({ group, partitions, members, owners });
    for (let partition = 0; partition < partitions; partition += 1) {
      const isAssigned = assignment.get(partition) === instance;
      const own = owned.get(partition);
      if (own && !isAssigned && this.#isSettled && !this.#substituted.has(partition)) void own.end();
      // Another instance could use the cursor.
      if (!own && owners.has(partition)) problems.clear(partition);
      if (own || this.#claiming.has(partition) || owners.has(partition)) continue;
      if (isAssigned) this.#begin(partition, config);
      else this.#claimLater(partition, members);
    }
  }

  /** Claims nothing more. */
  stop(): void {
    this.#cancelSettle?.();
    for (const cancel of this.#waiting.values()) cancel();
  }

  /** Resolves when no claim is being made. To be called after `stop`. */
  async whenIdle(): Promise<void> {
    await Promise.all(this.#claims);
  }

  /** Partitions move to newcomers when the list of members has not changed for a while. */
  #settle(present: readonly string[]): void {
    const { clock, settleMs, onChange } = this.#options;
    const members = [...present].sort().join();
    if (members === this.#lastMembers) return;
    this.#lastMembers = members;
    this.#substituted.clear();
    this.#isSettled = false;
    this.#cancelSettle?.();
    this.#cancelSettle = clock.after(settleMs, () => {
      this.#isSettled = true;
      onChange();
    });
  }

  /** The assigned owner may be stuck: the others claim the partition after a while, one after the other. */
  #claimLater(partition: number, members: readonly string[]): void {
    if (this.#waiting.has(partition)) return;
    const { group, clock, ttlMs, instance, problems, seen } = this.#options;
    const waitMs = ttlMs / 3 + RANK_MS * claimRank(group, partition, members, instance);
    const cancel = clock.after(waitMs, () => {
      this.#waiting.delete(partition);
      const now = seen();
      if (!now || now.owners.has(partition)) return;
      if (problems.isStopped) {
        this.#claimLater(partition, members);
        return;
      }
      this.#substituted.add(partition);
      this.#begin(partition, now.config);
    });
    this.#waiting.set(partition, cancel);
  }

  #begin(partition: number, config: number): void {
    const claim = this.#claim(partition, config);
    this.#claims.add(claim);
    void claim.finally(() => this.#claims.delete(claim));
  }

  async #claim(partition: number, config: number): Promise<void> {
    const { stopping, claimer, problems, owned, onChange } = this.#options;
    this.#claiming.add(partition);
    this.#waiting.get(partition)?.();
    this.#waiting.delete(partition);
    this.#unanswered += 1;
    let wait = (): Promise<void> | undefined => undefined;
    try {
      const claimed = await claimer.claim(partition, config, stopping);
      problems.clear(partition);
      if (claimed) owned.own(partition, claimed);
      else wait = () => quietPause(BACKOFF.soon(0), stopping);
    } catch (error) {
      wait = () => problems.pauseAfter(partition, error, 3);
    }
    this.#unanswered -= 1;
    // The partitions that were claimed do not wait for one that cannot be claimed now.
    if (this.#unanswered === 0) void owned.follow();
    await wait();
    this.#claiming.delete(partition);
    onChange();
  }
}
