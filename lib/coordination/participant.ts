/**
 * A part of the coordination that owns keys: elections, locks, and so on. `Coordination` starts all participants, and
 * shuts them down in steps.
 */
export interface Participant {
  /** Called when the application has started. */
  start(): void;
  /** Step 1 of the shutdown: from now on nothing is claimed. Must return at once. */
  stop(): void;
  /**
   * Step 2: aborts the signals of everything that runs, and releases each claim when its calls have ended. Resolves when
   * nothing is owned any more. Must not reject.
   */
  drain(): Promise<void>;
  /** Aborts the signals of the calls that are still running at the drain limit. */
  abort?(reason: unknown): void;
  /**
   * Step 3: the raw keys of claims whose calls are still running. They are not deleted, so that nobody else is let in
   * before the lease expires.
   */
  readonly busyKeys: readonly string[];
  /** Ends watches and timers, locally and without requests. Idempotent. */
  close(): void;
}

/** Limit of the requests that release keys at shutdown, in milliseconds. After that they go with the lease. */
export const RELEASE_LIMIT_MS = 2_000;

/** Time that calls have to end after their signals have aborted, in milliseconds. */
export const ABORT_GRACE_MS = 500;
