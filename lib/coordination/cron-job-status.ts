import type { ClusterCronTick } from './cron-tick.js';

/** Observes cron jobs for metrics and traces. */
export interface CronObserver {
  /** Calls the method with `call`, which resolves to its error if it has failed. */
  tick(
    job: string,
    tick: Pick<ClusterCronTick, 'scheduledAt' | 'missed'>,
    call: () => Promise<unknown>,
  ): Promise<unknown>;
  ticksMissed(job: string, count: number): void;
  ticksSkipped(job: string, count: number): void;
}

/** State of a cron job on one instance. */
export interface CronJobStatus {
  /**
   * - `standby`: another instance owns the job, or none.
   * - `owner`: this instance owns the job and starts its ticks.
   * - `behind`: the clock of this instance is more than `graceMs` behind the last tick. It does not claim the job.
   * - `unreadable`: the last tick in etcd is not one of this version. This instance does not claim the job.
   */
  state: 'standby' | 'owner' | 'behind' | 'unreadable';
  /** True while a call is running on this instance. */
  running: boolean;
  /** Calls that this instance has started. */
  started: number;
  /** Ticks that no instance had started in time, as counted by this instance. */
  missed: number;
  /** Ticks that were due while a call was running on this instance, and were dropped. */
  skipped: number;
  /** Calls on this instance that rejected. */
  failed: number;
}
