import { onAbort } from './on-abort.js';

/** Wait times between attempts. They are random, so that watches that broke together do not reconnect together. */
export interface Backoff {
  /** Milliseconds to wait before the given attempt, counted from 0 since the last success. */
  readonly soon: (attempt: number) => number;
  /** Milliseconds to wait after a refused request. Permissions may be granted later. */
  readonly refused: () => number;
}

export const BACKOFF: Backoff = {
  soon: (attempt) => exponentialBackoff(attempt + 1, { initialMs: 40, maxMs: 1_000 }),
  refused: () => 5_000 + Math.random() * 25_000,
};

/**
 * Exponential backoff with equal jitter, in milliseconds. The limit is `initialMs`, doubled with each further retry up
 * to `maxMs`; the result is uniformly distributed between half of the limit and the limit. The first retry is number 1.
 */
export function exponentialBackoff(
  retry: number,
  { initialMs, maxMs }: { readonly initialMs: number; readonly maxMs: number },
): number {
  const limit = Math.min(maxMs, initialMs * 2 ** (retry - 1));
  return (limit * (1 + Math.random())) / 2;
}

/** Resolves after `ms`, or immediately when aborted. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> => paused(ms, signal, true);

function paused(ms: number, signal: AbortSignal, keepsAlive: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      stopListening();
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (!keepsAlive) timer.unref();
    const stopListening = onAbort(signal, done);
  });
}

/** Like `pause`, but does not keep the process alive (unref'd timer). */
export const quietPause = (ms: number, signal: AbortSignal): Promise<void> => paused(ms, signal, false);
