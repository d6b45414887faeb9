import { setTimeout as sleep } from 'node:timers/promises';

const PROBE_MS = 20;
/** Below the second that a take-over may last beyond the time to live. */
const MAX_STALL_MS = 250;

/**
 * The times of take-overs. A machine that is busy with something else proves nothing about them: a time counts as
 * measured quietly only if neither a timer of this process nor etcd had to be waited for meanwhile.
 */
export class TakeOvers implements AsyncDisposable {
  readonly #ask: () => Promise<unknown>;
  readonly #probing: Promise<void>;
  readonly #allMs: number[] = [];
  readonly #quietMs: number[] = [];
  #longestStallMs = 0;
  #isEnded = false;

  /** @param ask a small request to etcd */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
    this.#probing = this.#probe();
  }

  /** A take-over begins: stalls count from now on. */
  begin(): void {
    this.#longestStallMs = 0;
  }

  /** A take-over that began with the last `begin` has ended. */
  add(tookMs: number): void {
    this.#allMs.push(tookMs);
    if (this.#longestStallMs < MAX_STALL_MS) this.#quietMs.push(tookMs);
  }

  /** The longest one that was measured quietly; 0 for none. */
  get longestQuietMs(): number {
    return Math.max(0, ...this.#quietMs);
  }

  /** The median of those that were measured quietly; 0 for none. A single process that was slow does not change it. */
  get medianQuietMs(): number {
    return quantile(this.#quietMs, 0.5);
  }

  /** For a report: milliseconds, except for the counts. */
  get figures(): Record<string, number> {
    const at = (share: number): number => Math.round(quantile(this.#allMs, share));
    return {
      'take-overs': this.#allMs.length,
      'p50, ms': at(0.5),
      'p99, ms': at(0.99),
      'max, ms': at(1),
      'on a quiet machine': this.#quietMs.length,
      'longest of these, ms': Math.round(this.longestQuietMs),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.#probing;
  }

  async #probe(): Promise<void> {
    while (!this.#isEnded) {
      const begin = performance.now();
      await sleep(PROBE_MS);
      const asked = performance.now();
      await this.#ask().catch(() => undefined);
      const stallMs = Math.max(asked - begin - PROBE_MS, performance.now() - asked);
      this.#longestStallMs = Math.max(this.#longestStallMs, stallMs);
    }
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
}
