import { type ConfigChange, joined } from './config-change.js';

/**
 * Delays changes until none has arrived for the debounce time, but not forever. Releases one change per key: from the
 * state that the listener last received to the newest state.
 */
export class ChangeDebounce {
  readonly #pending = new Map<string, { readonly first: ConfigChange; readonly last: ConfigChange }>();
  #timer: NodeJS.Timeout | undefined;
  /** Arrival of the first pending change. */
  #since = 0;

  constructor(
    private readonly debounceMs: number,
    private readonly release: (changes: readonly ConfigChange[]) => void,
  ) {}

  add(change: ConfigChange): void {
    const now = performance.now();
    if (!this.#timer) this.#since = now;
    this.#pending.set(change.key, { first: this.#pending.get(change.key)?.first ?? change, last: change });
    clearTimeout(this.#timer);
    const left = this.#since + MAX_DEBOUNCES * this.debounceMs - now;
    this.#timer = setTimeout(this.#flush, Math.max(0, Math.min(this.debounceMs, left)));
  }

  /** Discards the pending changes. */
  close(): void {
    clearTimeout(this.#timer);
    this.#pending.clear();
  }

  readonly #flush = (): void => {
    this.#timer = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.release(pending.flatMap(({ first, last }) => (first === last ? first : (joined(first, last) ?? []))));
  };
}

/** Continuous changes are released after this many debounce times. */
const MAX_DEBOUNCES = 10;
