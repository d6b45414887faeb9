import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf } from '../backend/key-record.js';
import { pauseOn } from '../backend/lease-clock.js';
import { PermissionDeniedError } from '../etcd-trigger.errors.js';
import type { Claim } from './claim.js';
import { ClaimKeeper, type CoordinationContext } from './claim-keeper.js';
import type { ElectionLeader } from './election.js';
import type { CronJobStatus } from './cron-job-status.js';
import { type CronObstacle, obstacleOf } from './cron-obstacle.js';
import { CronTerm, type CronTermOptions, MAX_CRON_WAIT_MS } from './cron-term.js';
import { FollowedRange } from './followed-range.js';
import { LastTick, type LastTickState, parseLastTick } from './last-tick.js';
import { type InstanceIdentity, leaderOf, type Members, ownerValue } from './members.js';
import type { Participant } from './participant.js';

export interface CronJobOptions extends Omit<CronTermOptions, 'log'> {
  readonly keys: { readonly owner: string; readonly last: string };
  readonly instance: InstanceIdentity;
  readonly members: Members;
}

/** This instance's part in one cron job: it claims the job whenever it is free, and starts its ticks then. */
export class CronJob implements Participant {
  readonly range: KeyRange;
  readonly #options: CronJobOptions;
  readonly #context: CoordinationContext;
  readonly #keeper: ClaimKeeper;
  readonly #last: LastTick;
  readonly #stop = new AbortController();
  readonly #closing = new AbortController();
  readonly #status: CronJobStatus = {
    state: 'standby',
    running: false,
    started: 0,
    missed: 0,
    skipped: 0,
    failed: 0,
  };
  #followed: FollowedRange | undefined;
  #term: CronTerm | undefined;
  /** Resolves when this instance may claim the job again. */
  #standby: Promise<void> | undefined;
  /** The obstacle that was logged last. */
  #reported: CronObstacle['state'] | undefined;
  #isStarted = false;
  #denial: string | undefined;

  constructor(context: CoordinationContext, options: CronJobOptions) {
    const { name, keys, instance, members } = options;
    this.#context = context;
    this.#options = options;
    this.range = KeyRange.of({ key: keyBytesOf(keys.owner) });
    const value = ownerValue(instance);
    this.#keeper = new ClaimKeeper(context, {
      kind: 'cron',
      name,
      rawKey: keys.owner,
      value: () => value,
      delayMs: (previous) => members.delayMs('crons', name, previous),
      hold: () => this.#hold(),
      onClaimed: (claim) => this.#own(claim),
    });
    this.#last = new LastTick({
      rawKey: keys.last,
      instance: instance.id,
      keyValue: context.keyValue,
      onAnswer: (error) => {
        this.#answered(error);
      },
      closing: this.#closing.signal,
    });
    members.announce('crons', name);
  }

  get name(): string {
    return this.#options.name;
  }

  /** `Class.method`. */
  get method(): string {
    return this.#options.method;
  }

  get expression(): string {
    return this.#options.schedule.expression;
  }

  get status(): Readonly<CronJobStatus> {
    const state = this.#status.state === 'standby' ? (this.#obstacle?.state ?? 'standby') : this.#status.state;
    return { ...this.#status, state };
  }

  /** The claim of this instance, until it has been released. */
  get claim(): Claim | undefined {
    return this.#keeper.claim;
  }

  /** The owner of the job as last seen, which may be this instance. */
  get owner(): ElectionLeader | undefined {
    const { owner } = this.#keeper;
    return owner && leaderOf(owner);
  }

  /** The reason why etcd refuses the claim or the last tick, as one sentence. */
  get problem(): string | undefined {
    return this.#keeper.problem ?? this.#denial;
  }

  /** The last tick that any instance has started or dropped, as last seen. */
  get lastTick(): Date | undefined {
    const { at } = this.#lastSeen;
    return at === undefined ? undefined : new Date(at);
  }

  /** The next tick by the clock of this instance. */
  get nextTick(): Date | undefined {
    const { schedule, clock } = this.#options;
    const at = schedule.next(clock.now());
    return at === undefined ? undefined : new Date(at);
  }

  /** True if this instance should do something now: claim the job, or start a tick. */
  get isDue(): boolean {
    if (!this.#isStarted || this.#stop.signal.aborted) return false;
    if (this.#term) return this.#term.isDue;
    return this.#keeper.owner === undefined && !this.#standby && !this.#obstacle;
  }

  start(): void {
    const { keys } = this.#options;
    this.#isStarted = true;
    this.#followed ??= new FollowedRange(this.#context.ranges, KeyRange.of({ key: keyBytesOf(keys.last) }));
    this.#keeper.start();
  }

  stop(): void {
    this.#stop.abort();
    this.#keeper.stop();
  }

  drain(): Promise<void> {
    this.stop();
    return this.#keeper.drain();
  }

  get busyKeys(): readonly string[] {
    return this.#keeper.busyKeys;
  }

  close(): void {
    this.stop();
    this.#closing.abort();
    this.#keeper.close();
    this.#followed?.close();
  }

  get #lastSeen(): LastTickState {
    return parseLastTick(this.#followed?.records.get(this.#options.keys.last));
  }

  get #obstacle(): CronObstacle | undefined {
    return obstacleOf(this.#lastSeen, this.#options);
  }

  #hold(): Promise<unknown> | undefined {
    const { members } = this.#options;
    if (!members.isListed) return members.whenListed(this.#stop.signal);
    if (!this.#standby) this.#standBy(this.#lastSeen);
    return this.#standby;
  }

  /** Leaves the job to the other instances for a while if the last tick is an obstacle to this one. */
  #standBy(last: LastTickState): void {
    const obstacle = obstacleOf(last, this.#options);
    if (!obstacle) return;
    const { state, message, waitMs } = obstacle;
    if (this.#reported !== state) this.#context.log.error(message);
    this.#reported = state;
    const { clock } = this.#options;
    this.#standby = pauseOn(clock, Math.min(waitMs, MAX_CRON_WAIT_MS), this.#stop.signal).then(() => {
      this.#standby = undefined;
    });
  }

  async #own(claim: Claim): Promise<void> {
    this.#status.state = 'owner';
    const term = new CronTerm({ ...this.#options, log: this.#context.log }, this.#last, claim, this.#status);
    this.#term = term;
    try {
      const obstructive = await term.run();
      // The watch of the last tick may be late.
      if (obstructive) this.#standBy(obstructive);
      else this.#reported = undefined;
    } finally {
      this.#term = undefined;
      this.#status.state = 'standby';
    }
  }

  #answered(error: unknown): void {
    const denial =
      error instanceof PermissionDeniedError ? `"${this.name}" cannot use its last tick: ${error.message}` : undefined;
    if (denial !== undefined && denial !== this.#denial) this.#context.log.warn(`${denial}; retrying`);
    this.#denial = denial;
  }
}
