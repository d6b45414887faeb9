import type { ClusterCronOptions } from './cron-tick.js';

/** Returns the first tick after a time; `undefined` if there is none. Times are milliseconds since 1970. */
export type NextTick = (after: number) => number | undefined;

/** A call that a tick leads to. */
export interface PlannedCall {
  readonly scheduledAt: number;
  /** Earlier ticks that the call makes up for, oldest first. */
  readonly missed: readonly number[];
  /** The call must not start later. `undefined`: it may start at any time. */
  readonly expiresAt: number | undefined;
}

export interface CronPlan {
  /** Oldest first. */
  readonly calls: readonly PlannedCall[];
  /** Number of ticks that were not started in time. */
  readonly missed: number;
}

/** The most ticks that are made up for after an interruption. */
const MAX_MISSED = 100;

/** Decides about ticks that are due while no call is running. `due`: oldest first, not empty. */
export function planCalls(
  due: readonly number[],
  now: number,
  { missed: policy, graceMs }: Required<Pick<ClusterCronOptions, 'missed' | 'graceMs'>>,
): CronPlan {
  const newest = due.at(-1);
  if (newest === undefined) return { calls: [], missed: 0 };
  const isOnTime = now - newest <= graceMs;
  const earlier = due.slice(0, -1);
  const missed = isOnTime ? earlier : due;
  const callOf = (scheduledAt: number): PlannedCall => ({ scheduledAt, missed: [], expiresAt: undefined });
  const calls = {
    skip: () => (isOnTime ? [{ ...callOf(newest), expiresAt: newest + graceMs }] : []),
    once: () => [{ ...callOf(newest), missed: earlier.slice(-MAX_MISSED) }],
    all: () => [...missed.slice(-MAX_MISSED), ...(isOnTime ? [newest] : [])].map(callOf),
  }[policy]();
  return { calls, missed: missed.length };
}

/**
 * Returns the ticks after `after`, up to and including `until`, oldest first. Of more than a plan can use, only the newest
 * are returned, and found without visiting all of the others.
 */
export function dueTicks(next: NextTick, after: number, until: number): number[] {
  return newestTicks(next, after, until, MAX_MISSED + 1);
}

function newestTicks(next: NextTick, after: number, until: number, limit: number): number[] {
  const ticks: number[] = [];
  for (let tick = next(after); tick !== undefined && tick <= until; tick = next(tick)) {
    ticks.push(tick);
    if (ticks.length <= MAX_VISITED) continue;
    const middle = Math.floor((after + until) / 2);
    const newer = newestTicks(next, middle, until, limit);
    const older = newer.length < limit ? newestTicks(next, after, middle, limit - newer.length) : [];
    return [...older, ...newer];
  }
  return ticks.slice(-limit);
}

/** More than `MAX_MISSED`, so that a range that is halved holds more seconds than ticks. */
const MAX_VISITED = 128;
