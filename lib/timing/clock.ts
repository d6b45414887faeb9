/** The port for time and timers. Tests replace it by a virtual clock. */
export interface Clock {
  /** Milliseconds since an arbitrary point in time. Monotonic. */
  now(): number;
  /** Calls `call` once after `ms` milliseconds. Returns a function that cancels the call. */
  after(ms: number, call: () => void): () => void;
  /** Calls `call` once in a later turn of the event loop. Returns a function that cancels the call. */
  soon(call: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  soon: (call) => {
    const immediate = setImmediate(call);
    return () => {
      clearImmediate(immediate);
    };
  },
};
