import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { within } from '../../timing/time-limit.js';
import type { ParsedChange } from './cache-entry.js';
import type { Change } from './change-parser.js';

export interface ParsingQueueOptions {
  /** Ends all retries. */
  readonly closing: AbortSignal;
  /** Called when a batch that was parsed asynchronously could not be applied. It is tried again. */
  readonly failed: (error: unknown) => void;
  /** Called when such a batch is applied. */
  readonly recovered: () => void;
}

type Apply = (parsed: readonly ParsedChange<object>[]) => void;

/** Applies batches of changes in their order: at once, or when a validator or codec that is asynchronous has ended. */
export class ParsingQueue {
  readonly #options: ParsingQueueOptions;
  /** The end of the last batch. Each batch waits for the batch before it. */
  #last: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: ParsingQueueOptions) {
    this.#options = options;
  }

  /** True while a batch is parsed or waits for another one. */
  get isBusy(): boolean {
    return this.#last !== undefined;
  }

  /** True while a batch cannot be applied. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Resolves when all batches are applied, or the queue is closed. */
  async idle(): Promise<void> {
    while (this.#last) await this.#last;
  }

  /** Resolves with true when all batches are applied, and with false after the limit. */
  async idleWithin(limitMs: number): Promise<boolean> {
    const idle = this.idle().then(() => true);
    return (await within(idle, limitMs)) === true;
  }

  /** Calls `apply` when the changes are parsed, after all batches before. What it throws at once is thrown here. */
  push(changes: readonly Change[], apply: Apply): void {
    const { closing } = this.#options;
    if (!this.#last && !changes.some((change) => change instanceof Promise)) {
      apply(changes as ParsedChange<object>[]);
      return;
    }
    const before = this.#last;
    const end = Promise.all(changes.map((change) => Promise.resolve(change))).then(async (parsed) => {
      await before;
      for (let attempt = 0; !closing.aborted; attempt += 1) {
        const isLast = this.#last === end;
        if (isLast) this.#last = undefined;
        if (this.#tryToApply(parsed, apply)) return;
        if (isLast) this.#last = end;
        await quietPause(BACKOFF.soon(attempt), closing);
      }
      // Closed: `idle()` would otherwise await a settled promise forever, without returning to the event loop.
      if (this.#last === end) this.#last = undefined;
    });
    this.#last = end;
  }

  /** Nobody waits for the result of an asynchronous batch, so a failure is reported here. */
  #tryToApply(parsed: readonly ParsedChange<object>[], apply: Apply): boolean {
    try {
      apply(parsed);
    } catch (error) {
      this.#isFailing = true;
      this.#options.failed(error);
      return false;
    }
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#options.recovered();
    }
    return true;
  }
}
