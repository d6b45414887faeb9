import type { ClaimKind } from '../coordination/claim-keeper.js';
import type { Coordination } from '../coordination/coordination.js';
import type { ElectionLeader } from '../coordination/election.js';
import { describeGroup, type GroupDescription } from '../coordination/groups/group-description.js';
import type { LeaseState } from '../coordination/lease-keeper.js';
import type { OwnLock } from '../coordination/locks.js';
import { printable } from '../foreign/foreign-text.js';

/** The part of this instance in what the instances share. */
export interface CoordinationDescription {
  /** Id of this instance, as in `ElectionLeader.instance`. */
  readonly instance: string;
  readonly lease: LeaseDescription;
  /** The elections, cron jobs, locks and partitions of this instance, until etcd has confirmed that they are given up. */
  readonly claims: readonly ClaimDescription[];
  readonly elections: readonly ElectionDescription[];
  /** The locks that this instance holds or waits for. */
  readonly locks: readonly LockDescription[];
  /** The registrations of this instance. */
  readonly registrations: readonly RegistrationDescription[];
  /** The handler groups that this instance takes part in. */
  readonly groups: readonly GroupDescription[];
  /** The services that this instance follows. */
  readonly followedServices: readonly FollowedServiceDescription[];
  /** One sentence for each reason why this instance cannot take part as it should. */
  readonly problems: readonly string[];
}

/** The lease of this instance, which everything that it owns depends on. */
export interface LeaseDescription {
  /**
   * - `unused`: this instance needs no lease.
   * - `valid`: etcd has confirmed the lease in time.
   * - `missing`: etcd has not granted a lease, or has not confirmed it before its deadline.
   */
  readonly state: LeaseState;
  /** Decimal; `undefined` unless `valid`. `etcdctl` shows the same number in hexadecimal. */
  readonly id: string | undefined;
  readonly ttlMs: number | undefined;
  /** Milliseconds until the deadline, which each confirmed renewal moves. */
  readonly remainingMs: number | undefined;
}

/** An election that this instance leads, a cron job or partition that it owns, or a lock that it has acquired. */
export interface ClaimDescription {
  readonly kind: ClaimKind;
  readonly name: string;
  /** `Fence.token`. */
  readonly token: number;
  /** `Fence.held`. */
  readonly held: boolean;
}

/** One election in which this instance is a candidate. */
export interface ElectionDescription {
  readonly name: string;
  readonly isLeader: boolean;
  /** `Fence.token` of the term of this instance. */
  readonly token: number | undefined;
  /** The leader as last seen, which may be this instance. */
  readonly leader: ElectionLeader | undefined;
}

/** One lock that this instance has acquired or waits for. */
export interface LockDescription {
  readonly name: string;
  /** `lost`: another instance may have acquired the lock, and the calls of this instance have not ended yet. */
  readonly state: OwnLock['state'];
  /** `Fence.token`; `undefined` while it waits. */
  readonly token: number | undefined;
}

/** One registration of this instance as part of a service. */
export interface RegistrationDescription {
  readonly service: string;
  readonly id: string;
  /** True if etcd has confirmed the current data, and no loss is known. */
  readonly isRegistered: boolean;
}

/** One service that this instance follows. */
export interface FollowedServiceDescription {
  readonly service: string;
  /** Number of instances with valid data. */
  readonly instances: number;
}

/** Names come from the application, and pods from the values of other instances. */
export function describeCoordination(coordination: Coordination): CoordinationDescription {
  const { instance, context, claims, elections, locks, groups, services, problems } = coordination;
  const { state, current } = context.keeper;
  return {
    instance: instance.id,
    lease: { state, id: current?.id, ttlMs: current?.ttlMs, remainingMs: current && Math.round(current.remainingMs) },
    claims: claims.map(({ kind, fence: { name, token, held } }) => ({ kind, name, token, held })),
    elections: elections.map(({ name, isLeader, term, leader }) => ({
      name,
      isLeader,
      token: term?.token,
      leader: describeOwner(leader),
    })),
    locks: locks.all.map(({ name, state: lock, fence }) => ({ name, state: lock, token: fence?.token })),
    registrations: services.registered.map(({ service, id, isWritten }) => ({ service, id, isRegistered: isWritten })),
    groups: groups.all.map(describeGroup),
    followedServices: services.followed.map(({ service, value }) => ({ service, instances: value.length })),
    problems,
  };
}

export const describeOwner = (owner: ElectionLeader | undefined): ElectionLeader | undefined =>
  owner && { instance: printable(owner.instance), pod: printable(owner.pod), token: owner.token };
