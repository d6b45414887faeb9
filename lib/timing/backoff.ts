import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait before another attempt. Full jitter: many watches that broke together do not come back together. */
export interface Backoff {
  /** Milliseconds before the attempt with this number, counted from 0 since the last success. */
  readonly soon: (attempt: number) => number;
  /** Milliseconds before trying again what was refused: a permission may be granted later. */
  readonly refused: () => number;
}

export const BACKOFF: Backoff = {
  soon: (attempt) => 20 + Math.random() * Math.min(980, 20 * 2 ** Math.min(attempt, 10)),
  refused: () => 5_000 + Math.random() * 25_000,
};

/** Resolves after `ms`, or at once when aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** The same, for waiting that is no reason for a process to live. */
export const quietPause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { ref: false, signal }).catch(() => undefined);
