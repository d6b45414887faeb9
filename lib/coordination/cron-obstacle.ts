import type { WallClock } from '../backend/wall-clock.js';
import type { CronJobStatus } from './cron-job-status.js';
import type { LastTickState } from './last-tick.js';

/** The reason why an instance cannot start the ticks of a job, although another instance may. */
export interface CronObstacle {
  readonly state: Extract<CronJobStatus['state'], 'behind' | 'unreadable'>;
  /** Milliseconds after which the obstacle may have gone. */
  readonly waitMs: number;
  /** For logs. */
  readonly message: string;
}

/** Between two looks at a last tick that this version cannot read. */
const UNREADABLE_WAIT_MS = 5_000;

/** Returns the obstacle that the last tick of a job is to an instance with this clock. */
export function obstacleOf(
  last: LastTickState,
  { name, graceMs, clock }: { readonly name: string; readonly graceMs: number; readonly clock: WallClock },
): CronObstacle | undefined {
  if (last.at === undefined) {
    if (last.revision === 0) return undefined;
    const message = `the last tick of "${name}" in etcd is not one of this version: this instance does not claim the job`;
    return { state: 'unreadable', waitMs: UNREADABLE_WAIT_MS, message };
  }
  const behindMs = last.at - clock.now();
  if (behindMs <= graceMs) return undefined;
  const message =
    `the clock of this instance is ${Math.ceil(behindMs / 1_000)} s behind the last tick of "${name}": ` +
    'this instance does not claim the job until its clock has caught up';
  return { state: 'behind', waitMs: behindMs - graceMs, message };
}
