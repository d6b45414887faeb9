import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { withAnySignal } from '../../timing/any-signal.js';
import type { JointState } from './joint-state.js';
import type { PartHistory } from './part-history.js';

/**
 * Compares the parts of a joint state with etcd while that is needed to show their newest states. All parts of one
 * transaction usually arrive together, which needs no comparison.
 */
export class JointProver<S> {
  readonly #state: JointState<S>;
  readonly #signal: AbortSignal;
  readonly #excuses: boolean;
  #isRunning = false;
  #isWaiting = false;

  /** `excuses`: a part that cannot be compared for some time does not hold the others back. */
  constructor(state: JointState<S>, signal: AbortSignal, { excuses }: { readonly excuses: boolean }) {
    this.#state = state;
    this.#signal = signal;
    this.#excuses = excuses;
  }

  /** True during the first comparisons after an update. */
  get isBusy(): boolean {
    return this.#isRunning && !this.#isWaiting;
  }

  /** To be called after every update. */
  start(): void {
    if (this.#isRunning || this.#signal.aborted || this.#state.unproven.length === 0) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
      this.#isWaiting = false;
    });
  }

  async #run(): Promise<void> {
    await quietPause(SETTLE_MS, this.#signal);
    const since = performance.now();
    for (let attempt = 0; !this.#signal.aborted; attempt += 1) {
      this.#state.evaluate();
      const { unproven } = this.#state;
      if (unproven.length === 0) return;
      const failed = (await Promise.all(unproven.map((history) => this.#prove(history)))).filter(
        (history) => history !== undefined,
      );
      if (this.#excuses && performance.now() - since > PATIENCE_MS) {
        for (const history of failed) history.isExcused = true;
      }
      this.#state.evaluate();
      if (this.#state.unproven.length === 0) return;
      this.#isWaiting = failed.length > 0;
      await quietPause(failed.length > 0 ? BACKOFF.soon(attempt) : INTERVAL_MS, this.#signal);
    }
  }

  /** Returns the history if the comparison has failed, or shown a difference. */
  async #prove(history: PartHistory<S>): Promise<PartHistory<S> | undefined> {
    try {
      const revision = await withAnySignal([this.#signal, AbortSignal.timeout(COMPARE_LIMIT_MS)], (signal) =>
        history.part.compare(signal, this.#state.target),
      );
      if (revision === undefined) return history;
      history.proven(revision);
      return undefined;
    } catch {
      // etcd cannot be reached or refuses; the next attempt asks again.
      return history;
    }
  }
}

/** Time for the other changes of a transaction to arrive, in milliseconds. */
const SETTLE_MS = 5;
/** Pause between comparisons while parts change all the time, in milliseconds. */
const INTERVAL_MS = 50;
const COMPARE_LIMIT_MS = 2_000;
/** A part that cannot be compared for this time is excused, in milliseconds. */
const PATIENCE_MS = 5_000;
