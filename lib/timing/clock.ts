/** The port to time of everything that delivers. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Calls once after so many milliseconds, unless what it returns is called before. */
  after(ms: number, call: () => void): () => void;
  /** Calls once in a later turn of the event loop, unless what it returns is called before. */
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
