import { counted } from '../counted.js';
import { randomUUID } from 'node:crypto';
import type { ClusterBackend } from '../backend/cluster-backend.js';
import type { Fence, FenceRegistry } from '../backend/fence.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { type LeaseClock, SYSTEM_LEASE_CLOCK } from '../backend/lease-clock.js';
import type { TransactionLimits } from '../backend/transaction-limits.js';
import { SYSTEM_WALL_CLOCK } from '../backend/wall-clock.js';
import { ConnectionClosedError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { within } from '../timing/time-limit.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import type { Claim } from './claim.js';
import type { ClaimKind, ClaimObserver, CoordinationContext } from './claim-keeper.js';
import { checkName, CoordinationKeys } from './coordination-keys.js';
import type { ResolvedCoordination } from './coordination-options.js';
import { ElectionCandidate, type ElectionObserver } from './election-candidate.js';
import { CronJob } from './cron-job.js';
import type { CronObserver } from './cron-job-status.js';
import type { CronTermOptions } from './cron-term.js';
import type { GroupHandler } from './groups/group-handler.js';
import type { GroupMember } from './groups/group-member.js';
import { type GroupObserver, HandlerGroups } from './groups/handler-groups.js';
import { LeaseKeeper } from './lease-keeper.js';
import { type LockObserver, Locks } from './locks.js';
import { type InstanceIdentity, Members } from './members.js';
import { ABORT_GRACE_MS, type Participant, RELEASE_LIMIT_MS } from './participant.js';
import { ServiceDirectory } from './service-directory.js';

/** Observes everything that this process shares with the other instances. */
export type CoordinationObserver = ElectionObserver & LockObserver & CronObserver & ClaimObserver & GroupObserver;

/** Something that this process owns. */
export interface OwnClaim {
  readonly kind: ClaimKind;
  readonly fence: Fence;
  readonly isLost: boolean;
}

export interface CoordinationDependencies {
  readonly backend: Pick<ClusterBackend, 'leases' | 'leaseClock' | 'wallClock' | 'listWatcher'>;
  readonly keyValue: KeyValueStore;
  readonly ranges: SharedRanges;
  readonly fences: FenceRegistry;
  readonly log: InstanceLog;
  readonly observer?: CoordinationObserver | undefined;
  readonly requestTimeoutMs: number;
  readonly serviceName: string;
  readonly podName: string;
  readonly limits: TransactionLimits;
}

/** Everything that this process shares with the other instances in one cluster. Writes nothing before it is used. */
export class Coordination {
  readonly keys: CoordinationKeys;
  readonly instance: InstanceIdentity;
  readonly context: CoordinationContext;
  readonly members: Members;
  readonly clock: LeaseClock;
  readonly locks: Locks;
  readonly services: ServiceDirectory;
  readonly groups: HandlerGroups;
  readonly #backend: CoordinationDependencies['backend'];
  readonly #observer: CoordinationDependencies['observer'];
  readonly #participants: Participant[] = [];
  readonly #elections = new Map<string, ElectionCandidate>();
  readonly #crons = new Map<string, CronJob>();
  #state: 'idle' | 'started' | 'stopped' = 'idle';

  constructor(options: ResolvedCoordination, dependencies: CoordinationDependencies) {
    const { backend, keyValue, ranges, fences, log, observer, serviceName, podName, requestTimeoutMs, limits } =
      dependencies;
    const { leases, leaseClock: clock = SYSTEM_LEASE_CLOCK } = backend;
    this.clock = clock;
    this.keys = new CoordinationKeys(options.prefix);
    this.instance = { id: randomUUID(), pod: podName, service: serviceName };
    this.#backend = backend;
    this.#observer = observer;
    const barrierKey = (lease: string): string => this.keys.barrier(lease);
    const keeper = new LeaseKeeper({ leases, keyValue, clock, log, barrierKey, ...options });
    this.context = { keeper, keyValue, ranges, fences, log, observer };
    this.members = new Members(this.context, this.keys, this.instance);
    const { keys, instance } = this;
    this.locks = new Locks(this.context, { keys, instance, clock, observer, requestTimeoutMs });
    this.services = new ServiceDirectory(this.context, keys, instance);
    this.groups = new HandlerGroups(this.context, {
      keys,
      instance,
      members: this.members,
      clock,
      wallClock: backend.wallClock ?? SYSTEM_WALL_CLOCK,
      listWatcher: backend.listWatcher,
      settleMs: options.settleMs,
      ttlMs: options.ttlSeconds * 1_000,
      limits,
      observer,
    });
  }

  /** The elections, cron jobs, locks and partitions of this process, until etcd has confirmed that they are given up. */
  get claims(): readonly OwnClaim[] {
    const owned = (kind: ClaimKind, { claim }: { readonly claim: Claim | undefined }): OwnClaim[] =>
      claim && !claim.isReleased ? [{ kind, fence: claim.fence, isLost: claim.isLost }] : [];
    return [
      ...this.elections.flatMap((election) => owned('election', election)),
      ...this.crons.flatMap((job) => owned('cron', job)),
      ...this.locks.all.flatMap(({ state, fence }): OwnClaim[] =>
        fence ? [{ kind: 'lock', fence, isLost: state === 'lost' }] : [],
      ),
      ...this.groups.owned.flatMap((owner) => owned('group', owner)),
    ];
  }

  /** One sentence for each reason why this process cannot take part in the coordination as it should. */
  get problems(): readonly string[] {
    const { keeper } = this.context;
    if (this.#state === 'stopped') return [];
    const participants = [this.members, ...this.elections, ...this.crons];
    const groups = this.groups.all.flatMap(({ problems }) => problems);
    return [...keeper.problems, ...participants.flatMap(({ problem }) => problem ?? []), ...groups];
  }

  /** All elections in which this instance is a candidate. */
  get elections(): readonly ElectionCandidate[] {
    return [...this.#elections.values()];
  }

  /**
   * Makes this instance a candidate. Candidates of one name are one candidate.
   * @throws InvalidOptionsError for a name that cannot be part of a key
   */
  election(name: string): ElectionCandidate {
    const existing = this.#elections.get(name);
    if (existing) return existing;
    checkName('the name of an election', name);
    const { instance, members, clock } = this;
    const rawKey = this.keys.election(name);
    const observer = this.#observer;
    const candidate = new ElectionCandidate(this.context, { name, rawKey, instance, members, clock, observer });
    this.#elections.set(name, candidate);
    this.add(candidate);
    return candidate;
  }

  /** All cron jobs that this instance takes part in. */
  get crons(): readonly CronJob[] {
    return [...this.#crons.values()];
  }

  /**
   * Makes this instance take part in a cron job, whose name no other job uses.
   * @throws InvalidOptionsError for a name that cannot be part of a key
   */
  cron(options: Omit<CronTermOptions, 'clock' | 'log' | 'observer'>): void {
    const { name } = options;
    checkName('"name"', name);
    const { context, instance, members } = this;
    const clock = this.#backend.wallClock ?? SYSTEM_WALL_CLOCK;
    const keys = this.keys.cron(name);
    const job = new CronJob(context, { ...options, keys, instance, members, clock, observer: this.#observer });
    this.#crons.set(name, job);
    this.add(job);
  }

  /** Makes this instance take part in a handler group, whose name no other handler uses. */
  group(handler: GroupHandler, onUnexpected: (error: unknown) => void): GroupMember {
    const member = this.groups.add(handler, onUnexpected);
    this.add(member);
    return member;
  }

  /** Adds a participant, which is started with the application, or at once if that has started. */
  add(participant: Participant): void {
    this.#participants.push(participant);
    if (this.#state !== 'started') return;
    this.members.start();
    participant.start();
  }

  /** Starts all participants. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'started';
    if (this.#participants.length === 0) return;
    this.members.start();
    for (const participant of this.#participants) participant.start();
  }

  /** Step 1 of the shutdown: this instance is deregistered and claims nothing any more. Idempotent. */
  stop(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.groups.stop();
    for (const participant of this.#all) participant.stop();
  }

  /**
   * Steps 2 and 3: everything that runs is aborted, and each claim is released when its calls have ended. After the
   * limit the lease is revoked or, if calls are still running, left to expire.
   */
  async drain(withinMs: number): Promise<void> {
    this.stop();
    const participants = this.#all;
    const drained = Promise.all(participants.map((participant) => participant.drain()));
    if (!(await within(drained, withinMs))) {
      for (const participant of participants) participant.abort?.(new ConnectionClosedError('the module is closed'));
      await within(drained, ABORT_GRACE_MS);
    }
    const kept = participants.flatMap(({ busyKeys }) => busyKeys);
    if (kept.length > 0) {
      this.context.log.warn(
        `calls are still running after the drain limit; ${counted(kept.length, 'key')} of this instance expire with its lease`,
      );
    }
    await this.context.keeper.close({ kept, withinMs: RELEASE_LIMIT_MS });
  }

  /** Ends everything locally and without requests. Idempotent. */
  close(): void {
    this.stop();
    for (const participant of this.#all) participant.close();
    this.context.keeper.stop();
  }

  /** In the order in which they stop. Locks and services are in use only if somebody has called them. */
  get #all(): readonly Participant[] {
    return [this.services, this.members, ...this.#participants, this.locks];
  }
}
