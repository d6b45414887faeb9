import { printable } from '../../foreign/foreign-text.js';
import type { ElectionLeader } from '../election.js';
import type { GroupMember } from './group-member.js';
import type { PartitionOwner } from './partition-owner.js';

/** One handler group that this instance takes part in. Contains no values. */
export interface GroupDescription {
  readonly name: string;
  /** `Class.method`. */
  readonly handler: string;
  /** For example `prefix "/orders/"`. */
  readonly target: string;
  /** One for each partition, by number. */
  readonly partitions: readonly PartitionDescription[];
  /** Number of parked events of all instances, as last seen. */
  readonly parked: number;
  /** One sentence for each reason why this instance does not take part as it should. */
  readonly problems: readonly string[];
}

/** One partition of a handler group. Only its owner knows more than who that is. */
export interface PartitionDescription {
  readonly partition: number;
  /**
   * - `free`: no instance owns it.
   * - `other`: another instance owns it.
   * - `resuming`: this instance owns it and reads what has happened since the cursor.
   * - `following`: this instance owns it and handles its events.
   * - `paused`, `halted`: this instance owns it and starts no calls.
   * - `ending`: this instance gives it up when its calls have ended.
   */
  readonly state: 'free' | 'other' | 'resuming' | 'following' | 'paused' | 'halted' | 'ending';
  /** The owner as last seen, which may be this instance. */
  readonly owner: ElectionLeader | undefined;
  /** Everything up to this revision is handled. */
  readonly revision: number | undefined;
  /** Waiting events and running calls. */
  readonly pending: number | undefined;
  /** Revisions of the target that are not handled. */
  readonly lag: number | undefined;
  /** Milliseconds since the oldest event was received that is not handled; 0 without one. */
  readonly lagMs: number | undefined;
  /** Number of owners in a row that died at the same event. */
  readonly stalls: number | undefined;
}

/** Pods and instances come from the values of other instances. */
export function describeGroup(member: GroupMember): GroupDescription {
  const { handler, owned, owners, parkedCount, problems } = member;
  return {
    name: member.name,
    handler: handler.name,
    target: handler.range.toString(),
    partitions: Array.from({ length: handler.options.partitions }, (_, partition) => {
      const own = owned.find((owner) => owner.partition === partition);
      const owner = owners.get(partition);
      return {
        partition,
        owner: owner && { instance: printable(owner.instance), pod: printable(owner.pod), token: owner.token },
        ...(own ? describeOwn(own, member.isPaused) : { ...UNKNOWN, state: owner ? 'other' : 'free' }),
      };
    }),
    parked: parkedCount,
    problems,
  };
}

const UNKNOWN = {
  revision: undefined,
  pending: undefined,
  lag: undefined,
  lagMs: undefined,
  stalls: undefined,
} as const;

function describeOwn(owner: PartitionOwner, isPaused: boolean): Omit<PartitionDescription, 'partition' | 'owner'> {
  const { cursor, delivery, receiver } = owner;
  const { r } = cursor.progress.snapshot();
  return {
    state: stateOf(owner, isPaused),
    revision: r,
    pending: delivery.pending,
    lag: receiver.lag,
    lagMs: Math.round(cursor.progress.ageMs),
    stalls: cursor.stalls,
  };
}

function stateOf({ isEnding, receiver, delivery }: PartitionOwner, isPaused: boolean): PartitionDescription['state'] {
  if (isEnding) return 'ending';
  if (delivery.halted) return 'halted';
  if (isPaused) return 'paused';
  return receiver.isFollowing ? 'following' : 'resuming';
}
