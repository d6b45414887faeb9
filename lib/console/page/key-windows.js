const WINDOW = 200;

/** Fetches windows of a long list of keys when they are needed, and keeps those that were used last. */
export class KeyWindows {
  #fetch;
  #onLoaded;
  #onFailed;
  #windows = new Map();
  #loading = new AbortController();
  total = 0;

  /** `fetch(offset, limit, signal)` resolves with `{ total, keys }`. */
  constructor({ fetch, onLoaded, onFailed }) {
    this.#fetch = fetch;
    this.#onLoaded = onLoaded;
    this.#onFailed = onFailed;
  }

  /** Returns the key at an index; `undefined` while it is being fetched. */
  at(index) {
    return this.#windows.get(Math.floor(index / WINDOW))?.keys?.[index % WINDOW];
  }

  /** Fetches what is missing between two indexes. */
  need(first, last) {
    for (let window = Math.floor(first / WINDOW); window <= Math.floor(last / WINDOW); window += 1) {
      if (!this.#windows.has(window)) void this.#load(window);
    }
  }

  /** Fetches the keys between two indexes again, and shows those of before until then. Forgets the other ones. */
  renew(first, last) {
    const [from, to] = [Math.floor(Math.max(0, first) / WINDOW), Math.floor(Math.max(0, last) / WINDOW)];
    for (const window of this.#windows.keys()) if (window < from || window > to) this.#windows.delete(window);
    for (let window = from; window <= to; window += 1) {
      const known = this.#windows.get(window);
      // What is being fetched may be from before the change, and is fetched once more.
      if (known?.isLoading) known.isStale = true;
      else void this.#load(window);
    }
  }

  /** Forgets everything. */
  clear() {
    this.#loading.abort();
    this.#loading = new AbortController();
    this.#windows.clear();
    this.total = 0;
  }

  async #load(window) {
    const { signal } = this.#loading;
    const loading = { keys: this.#windows.get(window)?.keys, isLoading: true, isStale: false };
    this.#windows.set(window, loading);
    try {
      const { total, keys } = await this.#fetch(window * WINDOW, WINDOW, signal);
      // The window may have been forgotten meanwhile.
      if (this.#windows.get(window) !== loading) return;
      this.#windows.set(window, { keys });
      this.#forgetFar(window);
      this.total = total;
      if (loading.isStale) void this.#load(window);
      this.#onLoaded();
    } catch (error) {
      if (this.#windows.get(window) !== loading) return;
      this.#windows.delete(window);
      this.#onFailed(error);
    }
  }

  #forgetFar(window) {
    for (const other of this.#windows.keys()) if (Math.abs(other - window) > 10) this.#windows.delete(other);
  }
}
