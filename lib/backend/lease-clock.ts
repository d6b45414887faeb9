import { onAbort } from '../timing/on-abort.js';

/** The clocks that decide how long a lease lasts. */
export interface LeaseClock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds of the wall clock, which also passes while the machine is suspended. */
  wall(): number;
  /** Calls `call` once after `ms`, without keeping the process alive. Returns a function that cancels the call. */
  after(ms: number, call: () => void): () => void;
}

export const SYSTEM_LEASE_CLOCK: LeaseClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `ms` of the clock, or immediately when aborted. */
export function pauseOn({ after }: Pick<LeaseClock, 'after'>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      stopListening();
      resolve();
    };
    const cancel = after(ms, done);
    const stopListening = onAbort(signal, done);
  });
}
