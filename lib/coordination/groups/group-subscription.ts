import type { WatchTarget } from '../../backend/key-range.js';
import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { Deferred } from '../../timing/deferred.js';
import type { WatchSubscription } from '../../watch/delivery/watch-options.js';
import type { WatchFailure } from '../../watch/watch-event.js';
import type { GroupMember } from './group-member.js';
import type { PartitionOwner } from './partition-owner.js';

/** The part of this instance in a group, as the subscription of its handler. */
export class GroupSubscription implements WatchSubscription {
  readonly target: WatchTarget;
  readonly #member: GroupMember;
  readonly #closed = new Deferred<EtcdTriggerError | undefined>();
  #isClosed = false;
  /** Counts of the partitions that this instance has given up. */
  #calls = 0;
  #failures = 0;

  constructor(member: GroupMember) {
    this.#member = member;
    this.target = member.handler.range.target;
    member.onGivenUp = ({ delivery }) => {
      this.#calls += delivery.calls;
      this.#failures += delivery.failures;
    };
  }

  get status(): WatchSubscription['status'] {
    if (this.#isClosed) return 'closed';
    const states = this.#member.owned.flatMap(({ receiver }) => receiver.follower?.state ?? []);
    if (states.includes('interrupted')) return 'interrupted';
    return this.#member.isListed && !states.includes('starting') ? 'following' : 'starting';
  }

  /** The lowest revision up to which a partition of this instance has received everything; 0 without partitions. */
  get revision(): number {
    const revisions = this.#member.owned.map(({ cursor }) => cursor.progress.revision);
    return revisions.length === 0 ? 0 : Math.min(...revisions);
  }

  /** There is no initial list to wait for: another instance may handle it. */
  get initialDelivered(): Promise<void> {
    return Promise.resolve();
  }

  get closed(): Promise<EtcdTriggerError | undefined> {
    return this.#closed.promise;
  }

  get calls(): number {
    return this.#sum(this.#calls, ({ delivery }) => delivery.calls);
  }

  get failures(): number {
    return this.#sum(this.#failures, ({ delivery }) => delivery.failures);
  }

  get pending(): number {
    return this.#sum(0, ({ delivery }) => delivery.pending);
  }

  get paused(): boolean {
    return this.#member.isPaused || this.halted !== undefined;
  }

  get halted(): WatchFailure | undefined {
    return this.#member.owned.find(({ delivery }) => delivery.halted)?.delivery.halted;
  }

  pause(): void {
    this.#member.pause();
  }

  resume(): void {
    this.#member.resume();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#member.drain();
    this.#closed.resolve(undefined);
  }

  #sum(first: number, countOf: (owner: PartitionOwner) => number): number {
    return this.#member.owned.reduce((sum, owner) => sum + countOf(owner), first);
  }
}
