/** The clock that schedules are compared with. */
export interface WallClock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Calls `call` once after `ms`, without keeping the process alive. Returns a function that cancels the call. */
  after(ms: number, call: () => void): () => void;
}

export const SYSTEM_WALL_CLOCK: WallClock = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
