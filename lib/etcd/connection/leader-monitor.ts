import { quietPause } from '../../timing/backoff.js';

/** `unknown`: no answer, or one that says nothing about a leader. */
export type LeaderAnswer = 'leader' | 'no leader' | 'unknown';

const INTERVAL_MS = 1_500;
/** An election leaves a member without a leader for milliseconds, or for an election timeout when the votes were split. */
const LEADERLESS_INTERVAL_MS = 500;
const LEADERLESS_ANSWERS = 3;

/**
 * Notices that a member has lost its quorum, while streams depend on it.
 *
 * A member that is cut off believes in its leader for one to two election timeouts, and ends its streams only after
 * three more checks, one election timeout each. Requests that require a leader are refused at once. (`monitorLeader`,
 * `maxNoLeaderCnt` and `newUnaryInterceptor` in etcd's server/etcdserver/api/v3rpc/interceptor.go.) Only an answer of
 * the member counts: silence may be a large message on a slow link.
 */
export class LeaderMonitor {
  readonly #dependants = new Set<() => void>();
  #monitoring: AbortController | undefined;

  constructor(
    private readonly ask: (signal: AbortSignal) => Promise<LeaderAnswer>,
    private readonly pause: (ms: number, signal: AbortSignal) => Promise<void> = quietPause,
  ) {}

  /**
   * Monitors the member on behalf of a stream or a request.
   * @param onLeaderLost called when the member should be left
   * @returns a function that ends the monitoring on behalf of this dependant
   */
  watch(onLeaderLost: () => void): () => void {
    const dependant = (): void => {
      onLeaderLost();
    };
    this.#dependants.add(dependant);
    if (!this.#monitoring) {
      this.#monitoring = new AbortController();
      void this.#monitor(this.#monitoring.signal);
    }
    return () => {
      this.#dependants.delete(dependant);
      if (this.#dependants.size > 0) return;
      this.#monitoring?.abort();
      this.#monitoring = undefined;
    };
  }

  async #monitor(signal: AbortSignal): Promise<void> {
    let leaderless = 0;
    for (;;) {
      await this.pause(leaderless === 0 ? INTERVAL_MS : LEADERLESS_INTERVAL_MS, signal);
      if (isAborted(signal)) return;
      leaderless = (await this.ask(signal)) === 'no leader' ? leaderless + 1 : 0;
      if (leaderless < LEADERLESS_ANSWERS || isAborted(signal)) continue;
      leaderless = 0;
      for (const onLeaderLost of [...this.#dependants]) onLeaderLost();
    }
  }
}

/** The signal may have aborted during an await, which the compiler does not know. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
