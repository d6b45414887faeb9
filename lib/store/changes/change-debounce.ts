import { type ConfigChange, joined } from './config-change.js';

/** Holds changes until it has been quiet for a while, but not for ever: one for each key, from the state that was told last to the newest. */
export class ChangeDebounce {
  readonly #held = new Map<string, { readonly first: ConfigChange; readonly last: ConfigChange }>();
  #timer: NodeJS.Timeout | undefined;
  /** When the first of those held came. */
  #since = 0;

  constructor(
    private readonly quietMs: number,
    private readonly release: (changes: readonly ConfigChange[]) => void,
  ) {}

  add(change: ConfigChange): void {
    const now = performance.now();
    if (!this.#timer) this.#since = now;
    this.#held.set(change.key, { first: this.#held.get(change.key)?.first ?? change, last: change });
    clearTimeout(this.#timer);
    const left = this.#since + MAX_QUIETS * this.quietMs - now;
    this.#timer = setTimeout(this.#flush, Math.max(0, Math.min(this.quietMs, left)));
  }

  /** Nothing is released any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  readonly #flush = (): void => {
    this.#timer = undefined;
    const held = [...this.#held.values()];
    this.#held.clear();
    this.release(held.flatMap(({ first, last }) => (first === last ? first : (joined(first, last) ?? []))));
  };
}

/** So many quiet times pass at most until changes that never cease are released. */
const MAX_QUIETS = 10;
