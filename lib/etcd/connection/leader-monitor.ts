import type { Client, Metadata } from '@grpc/grpc-js';
import { quietPause } from '../../timing/backoff.js';
import { isLeaderless } from './etcd-errors.js';
import { probeStatus } from './status-probe.js';

/** As long as a member has a leader. For a process that is idle otherwise this is most of what it does. */
const ASK_EVERY_MS = 1_500;
/** An election leaves a member without leader for milliseconds, or for an election timeout (1 s by default) when its votes were split. */
const ASK_AGAIN_AFTER_MS = 500;
const ENOUGH_IN_A_ROW = 3;
/** Then a question is given up, which says nothing about the member. */
const ANSWER_LIMIT_MS = 3_000;

/**
 * Leaves a member that has lost its quorum, with all streams that it serves.
 *
 * It believes in its leader for one to two election timeouts more, and then ends its streams by itself, but with patience: after three checks, one election
 * timeout each. What is asked of it is refused at once. (`monitorLeader`, `maxNoLeaderCnt` and `newUnaryInterceptor` in etcd's
 * server/etcdserver/api/v3rpc/interceptor.go.) So while it serves streams it is asked, one question for all of them. Only its own word counts: silence may be a
 * large message on a slow link, and a member that hangs is left by the keepalive.
 */
export class LeaderMonitor {
  readonly #streams = new Set<() => void>();
  #asking: AbortController | undefined;

  constructor(
    /** Whether the member says that it has no leader. */
    private readonly lacksLeader: (signal: AbortSignal) => Promise<boolean>,
    private readonly pause: (ms: number, signal: AbortSignal) => Promise<void> = quietPause,
  ) {}

  /**
   * The member serves a stream.
   * @param leave is called when it should be left
   * @returns what to call when it serves it no longer
   */
  serves(leave: () => void): () => void {
    this.#streams.add(leave);
    if (!this.#asking) {
      this.#asking = new AbortController();
      void this.#askOn(this.#asking.signal);
    }
    return () => {
      this.#streams.delete(leave);
      if (this.#streams.size > 0) return;
      this.#asking?.abort();
      this.#asking = undefined;
    };
  }

  async #askOn(signal: AbortSignal): Promise<void> {
    let inARow = 0;
    do {
      await this.pause(inARow === 0 ? ASK_EVERY_MS : ASK_AGAIN_AFTER_MS, signal);
      inARow = (await this.#saysSo(signal)) ? inARow + 1 : 0;
    } while (inARow < ENOUGH_IN_A_ROW && !signal.aborted);
    if (!signal.aborted) for (const leave of [...this.#streams]) leave();
  }

  /** Over a connection that is closed nobody can be asked. */
  async #saysSo(signal: AbortSignal): Promise<boolean> {
    return !signal.aborted && (await this.lacksLeader(signal).catch(() => false));
  }
}

/** Whether the member at the other end says that it has no leader. */
export async function lacksLeader(client: Client, metadata: Metadata, signal: AbortSignal): Promise<boolean> {
  const refusal = await probeStatus(client, { metadata, limitMs: ANSWER_LIMIT_MS, signal });
  return refusal !== undefined && isLeaderless(refusal);
}
