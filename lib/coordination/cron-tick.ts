import type { Fence } from '../backend/fence.js';

/** One tick of a cron job, as its method receives it. */
export interface ClusterCronTick {
  /** The time of the tick by the schedule. */
  readonly scheduledAt: Date;
  /**
   * Earlier ticks that no instance has started, oldest first, at most the newest 100. Empty unless the job has
   * `missed: 'once'`.
   */
  readonly missed: readonly Date[];
  /** Proof that this instance owns the job. Require it in writes that must not happen after another instance owns it. */
  readonly fence: Fence;
  /** Aborts when this instance no longer owns the job, and at shutdown. */
  readonly signal: AbortSignal;
}

/** Options of `@ClusterCron`. */
export interface ClusterCronOptions {
  /**
   * Name of the job, unique in the application: the last tick is stored under it. 1 to 128 of the characters A-Z, a-z,
   * 0-9, ".", "_", ":" and "-".
   */
  readonly name: string;
  /**
   * IANA time zone of the expression, such as `Europe/Berlin`.
   * @default the time zone of the process
   */
  readonly timeZone?: string;
  /**
   * Handles ticks that no instance has started in time. `skip`: they are dropped. `once`: one call has them in `missed`.
   * `all`: each has a call of its own, oldest first, at most the newest 100.
   * @default 'once'
   */
  readonly missed?: 'skip' | 'once' | 'all';
  /**
   * Age up to which a tick counts as on time, in milliseconds.
   * @default 60_000
   */
  readonly graceMs?: number;
  /**
   * Handles ticks that are due while a call is running. `skip`: they are dropped. `wait`: the newest one starts when the
   * call has ended.
   * @default 'skip'
   */
  readonly overlap?: 'skip' | 'wait';
  /**
   * The cluster that the instances share, as named in `EtcdTriggerModule.forRoot({ cluster })`.
   * @default 'default'
   */
  readonly cluster?: string;
}
