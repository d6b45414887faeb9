import type { LeaseClock } from '../../backend/lease-clock.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { TransactionLimits } from '../../backend/transaction-limits.js';
import type { WallClock } from '../../backend/wall-clock.js';
import type { CoordinationContext } from '../claim-keeper.js';
import type { CoordinationKeys } from '../coordination-keys.js';
import type { InstanceIdentity, Members } from '../members.js';
import { GroupAdministration } from './group-administration.js';
import { GroupCheckpoints } from './group-checkpoints.js';
import type { CursorStamp } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import { GroupMember } from './group-member.js';
import type { PartitionOwner } from './partition-owner.js';

/** Observes handler groups for metrics. */
export interface GroupObserver {
  /** Cursors of partitions were stored. */
  checkpointed(seconds: number, partitions: number): void;
}

export interface HandlerGroupsOptions {
  readonly keys: CoordinationKeys;
  readonly instance: InstanceIdentity;
  readonly members: Members;
  readonly clock: LeaseClock;
  readonly wallClock: WallClock;
  readonly listWatcher: Pick<ListWatcher, 'list'>;
  readonly settleMs: number;
  readonly ttlMs: number;
  readonly limits: TransactionLimits;
  readonly observer: GroupObserver | undefined;
}

/** The handler groups that this instance takes part in. */
export class HandlerGroups {
  readonly #context: CoordinationContext;
  readonly #options: HandlerGroupsOptions;
  readonly #checkpoints: GroupCheckpoints;
  readonly administration: GroupAdministration;
  readonly #members = new Map<string, GroupMember>();
  #writes = 0;

  constructor(context: CoordinationContext, options: HandlerGroupsOptions) {
    this.#context = context;
    this.#options = options;
    const { clock, members, limits, observer, keys, listWatcher } = options;
    const { transactionOperations } = limits;
    const { keyValue } = context;
    this.administration = new GroupAdministration({ keyValue, listWatcher, keys, limits, stamp: () => this.#stamp() });
    this.#checkpoints = new GroupCheckpoints({
      keyValue,
      clock,
      stamp: () => this.#stamp(),
      transactionOperations,
      owners: () => this.owned,
      instances: () => members.all.length,
      onWrite: (ms, partitions) => observer?.checkpointed(ms / 1_000, partitions),
    });
  }

  get all(): readonly GroupMember[] {
    return [...this.#members.values()];
  }

  /** The partitions of all groups that this instance owns. */
  get owned(): readonly PartitionOwner[] {
    return this.all.flatMap(({ owned }) => owned);
  }

  /** Adds the handler of a group, whose name no other handler uses. */
  add(handler: GroupHandler, onUnexpected: (error: unknown) => void): GroupMember {
    const { name } = handler.options;
    const member = new GroupMember(this.#context, {
      ...this.#options,
      transactionOperations: this.#options.limits.transactionOperations,
      handler,
      keys: this.#options.keys.group(name),
      checkpoints: this.#checkpoints,
      stamp: () => this.#stamp(),
      onUnexpected,
    });
    this.#members.set(name, member);
    return member;
  }

  /** Stores no cursors any more, except those of partitions that are given up. */
  stop(): void {
    this.#checkpoints.stop();
  }

  #stamp(): CursorStamp {
    this.#writes += 1;
    return { by: `${this.#options.instance.id}/${this.#writes}`, at: this.#options.wallClock.now() };
  }
}
