import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';
import type { OwnEtcd } from './own-etcd.js';
import type { Pods } from './pods.js';

const PROBE_MS = 20;
/** Below the second that a take-over may last beyond the time to live. */
const MAX_STALL_MS = 250;

/**
 * The times of take-overs. A machine that is busy with something else proves nothing about them: a time counts as
 * measured quietly only if neither a timer of any process nor etcd had to be waited for meanwhile.
 */
export class TakeOvers implements AsyncDisposable {
  /** Descriptions of those that were measured quietly and took longer than their limit. */
  readonly late: string[] = [];
  readonly #etcd: OwnEtcd;
  readonly #pods: Pods;
  readonly #probing: Promise<void>;
  readonly #allMs: number[] = [];
  readonly #quietMs: number[] = [];
  #longestStallMs = 0;
  #stallsBefore = 0;
  #leaderChangesBefore: number | undefined;
  #isEnded = false;

  constructor(etcd: OwnEtcd, pods: Pods) {
    this.#etcd = etcd;
    this.#pods = pods;
    this.#probing = this.#probe();
  }

  /** A take-over is about to begin: stalls count from now on. */
  async begin(): Promise<void> {
    this.#leaderChangesBefore = await this.#leaderChanges();
    this.#stallsBefore = this.#stallsOfPods;
    this.#longestStallMs = 0;
  }

  /** The take-over has ended. One during an election of etcd does not count, because each lease gets its full time again. */
  async end(subject: string, { tookMs, limitMs }: { tookMs: number; limitMs: number }): Promise<void> {
    const isQuiet = this.#longestStallMs < MAX_STALL_MS && this.#stallsOfPods === this.#stallsBefore;
    if ((await this.#leaderChanges()) !== this.#leaderChangesBefore) return;
    this.#allMs.push(tookMs);
    if (!isQuiet) return;
    this.#quietMs.push(tookMs);
    if (tookMs >= limitMs) this.late.push(`${subject}: ${Math.round(tookMs)} ms`);
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
      'longest of these, ms': Math.round(Math.max(0, ...this.#quietMs)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.#probing;
  }

  /** How often a timer of an application process was late. */
  get #stallsOfPods(): number {
    return this.#pods.numbers('stalled').filter(([ms = 0]) => ms >= MAX_STALL_MS).length;
  }

  #leaderChanges(): Promise<number> {
    return eventually(async () => (await this.#etcd.first.metric('etcd_server_leader_changes_seen_total')) ?? 0);
  }

  async #probe(): Promise<void> {
    while (!this.#isEnded) {
      const begin = performance.now();
      await sleep(PROBE_MS);
      const asked = performance.now();
      await this.#etcd.direct
        .get('/')
        .exec()
        .catch(() => undefined);
      const stallMs = Math.max(asked - begin - PROBE_MS, performance.now() - asked);
      this.#longestStallMs = Math.max(this.#longestStallMs, stallMs);
    }
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
}
