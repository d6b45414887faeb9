import { counted } from '../counted.js';
import { pauseOn } from '../backend/lease-clock.js';
import type { WallClock } from '../backend/wall-clock.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { withAnySignal } from '../timing/any-signal.js';
import { describeFailure } from '../watch/delivery/listener-failure.js';
import { isEndedBy } from './aborted.js';
import type { Claim } from './claim.js';
import type { CronJobStatus, CronObserver } from './cron-job-status.js';
import { obstacleOf } from './cron-obstacle.js';
import { dueTicks, planCalls, type PlannedCall } from './cron-plan.js';
import type { CronSchedule } from './cron-schedule.js';
import type { ClusterCronOptions, ClusterCronTick } from './cron-tick.js';
import type { LastTick, LastTickState } from './last-tick.js';

export interface CronTermOptions extends Required<Pick<ClusterCronOptions, 'name' | 'missed' | 'graceMs' | 'overlap'>> {
  readonly schedule: CronSchedule;
  /** `Class.method`, for logs. */
  readonly method: string;
  readonly call: (tick: ClusterCronTick) => unknown;
  readonly clock: WallClock;
  readonly log: InstanceLog;
  readonly observer: CronObserver | undefined;
}

/** The wall clock may be set, or the machine suspended, so a long wait is checked now and then. */
export const MAX_CRON_WAIT_MS = 30_000;

/** Starts the ticks of a cron job while this instance owns it. */
export class CronTerm {
  readonly #options: CronTermOptions;
  readonly #last: LastTick;
  readonly #claim: Claim;
  readonly #status: CronJobStatus;
  readonly #signal: AbortSignal;
  /** Calls that are due, oldest first. */
  readonly #queue: PlannedCall[] = [];
  /** The newest tick that was due while a call was running, with `overlap: 'wait'`. */
  #waiting: number | undefined;
  /** All ticks up to this time have been planned or dropped. `undefined` before the last tick was read. */
  #seen: number | undefined;
  #isStoring = false;
  /** Number of ticks that are missed, but that another instance may still have started: etcd has not confirmed that. */
  #unconfirmedMisses = 0;

  constructor(options: CronTermOptions, last: LastTick, claim: Claim, status: CronJobStatus) {
    this.#options = options;
    this.#last = last;
    this.#claim = claim;
    this.#status = status;
    this.#signal = claim.fence.signal;
  }

  /** True if a tick is due and not started yet. */
  get isDue(): boolean {
    if (this.#signal.aborted || this.#status.running) return false;
    if (this.#seen === undefined || this.#isStoring || this.#queue.length > 0) return true;
    const next = this.#options.schedule.next(this.#seen);
    return next !== undefined && next <= this.#options.clock.now();
  }

  /**
   * Resolves when no call is running and the claim's signal has aborted, or this instance cannot start ticks after the
   * last tick: then to that.
   */
  async run(): Promise<LastTickState | undefined> {
    while (!this.#signal.aborted) {
      const state = await this.#last.read(this.#claim);
      if (!state) return undefined;
      if (obstacleOf(state, this.#options)) return state;
      if (state.at === undefined) {
        await this.#last.put(this.#claim, state, this.#options.clock.now(), () => !this.#signal.aborted);
      } else {
        await this.#runAfter({ ...state, at: state.at });
      }
    }
    return undefined;
  }

  /** Resolves when the last tick was changed by somebody else or is an obstacle, too. */
  async #runAfter(state: LastTickState & { readonly at: number }): Promise<void> {
    let last = state;
    this.#queue.length = 0;
    this.#waiting = undefined;
    this.#seen = last.at;
    this.#unconfirmedMisses = 0;
    while (!this.#signal.aborted && !obstacleOf(last, this.#options)) {
      this.#plan();
      const call = this.#nextCall();
      if (!call && this.#seen === last.at) {
        await this.#pauseUntil(this.#options.schedule.next(this.#seen));
        continue;
      }
      const at = call?.scheduledAt ?? this.#seen;
      this.#isStoring = true;
      const stored = await this.#last.put(this.#claim, last, at, () => !this.#signal.aborted && !this.#isExpired(call));
      this.#isStoring = false;
      if (!stored) return;
      last = { ...stored, at };
      this.#miss(this.#unconfirmedMisses);
      this.#unconfirmedMisses = 0;
      if (!call) continue;
      if (this.#claim.isLost || this.#isExpired(call)) {
        this.#miss(1);
        continue;
      }
      // What has become due while etcd was away is late, and no overlap: no call was running.
      this.#plan();
      await this.#start(call);
    }
  }

  /** Decides about the ticks that have become due while no call was running. Their calls are queued. */
  #plan(): void {
    const due = this.#takeDue();
    const { calls, missed } = planCalls(due, this.#options.clock.now(), this.#options);
    this.#queue.push(...calls);
    this.#unconfirmedMisses += missed;
  }

  /** Oldest first: a tick that has waited may be older than one that has become due since then. */
  #nextCall(): PlannedCall | undefined {
    const scheduledAt = this.#waiting;
    if (scheduledAt === undefined || scheduledAt > (this.#queue[0]?.scheduledAt ?? Infinity))
      return this.#queue.shift();
    this.#waiting = undefined;
    return { scheduledAt, missed: [], expiresAt: undefined };
  }

  #isExpired(call: PlannedCall | undefined): boolean {
    return call?.expiresAt !== undefined && this.#options.clock.now() > call.expiresAt;
  }

  /** Resolves when the call has ended. Meanwhile, further ticks are dropped or wait. */
  async #start(call: PlannedCall): Promise<void> {
    this.#status.running = true;
    const end = new AbortController();
    const ended = this.#call(call).finally(() => {
      end.abort();
    });
    await withAnySignal([this.#signal, end.signal], async (stop) => {
      while (!stop.aborted) {
        await this.#pauseUntil(this.#options.schedule.next(this.#seen ?? call.scheduledAt), stop);
        if (!this.#signal.aborted) this.#overlap(this.#takeDue());
      }
    });
    await ended;
    this.#status.running = false;
  }

  #overlap(due: readonly number[]): void {
    if (due.length === 0) return;
    const { overlap, observer, name } = this.#options;
    const dropped = overlap === 'skip' ? due.length : due.length - (this.#waiting === undefined ? 1 : 0);
    if (overlap === 'wait') this.#waiting = due.at(-1);
    if (dropped === 0) return;
    this.#status.skipped += dropped;
    observer?.ticksSkipped(name, dropped);
  }

  async #call({ scheduledAt, missed }: PlannedCall): Promise<void> {
    const { name, observer } = this.#options;
    const { fence } = this.#claim;
    const times = { scheduledAt: new Date(scheduledAt), missed: missed.map((at) => new Date(at)) };
    const call = (): Promise<unknown> => this.#callMethod({ ...times, fence, signal: this.#signal });
    this.#status.started += 1;
    await (observer ? observer.tick(name, times, call) : call());
  }

  /** Resolves to the error if the method has failed. */
  async #callMethod(tick: ClusterCronTick): Promise<unknown> {
    const { name, method, call, log } = this.#options;
    try {
      await call(tick);
      return undefined;
    } catch (error) {
      if (isEndedBy(this.#signal, error)) return undefined;
      this.#status.failed += 1;
      log.error(`${method} failed at a tick of "${name}": ${describeFailure(error)}`);
      return error ?? new Error();
    }
  }

  #miss(count: number): void {
    if (count === 0) return;
    const { name, observer, log } = this.#options;
    this.#status.missed += count;
    observer?.ticksMissed(name, count);
    log.warn(`"${name}" missed ${counted(count, 'tick')}`);
  }

  /** Returns the ticks that are due now and have not been seen yet, oldest first. */
  #takeDue(): number[] {
    if (this.#seen === undefined) return [];
    const { schedule, clock } = this.#options;
    const due = dueTicks((after) => schedule.next(after), this.#seen, clock.now());
    this.#seen = due.at(-1) ?? this.#seen;
    return due;
  }

  #pauseUntil(at: number | undefined, signal = this.#signal): Promise<void> {
    return this.#pause(at === undefined ? MAX_CRON_WAIT_MS : at - this.#options.clock.now(), signal);
  }

  #pause(ms: number, signal = this.#signal): Promise<void> {
    return pauseOn(this.#options.clock, Math.min(Math.max(ms, 1), MAX_CRON_WAIT_MS), signal);
  }
}
