/** Read access to a `SortedMap`. Keys are in the order of `<`. */
export interface ReadonlySortedMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  /** All keys with the prefix, in O(result + log n). */
  keys(prefix?: string): string[];
  /** All entries whose keys have the prefix, in O(result + log n). */
  entries(prefix?: string): [key: string, value: V][];
}

/**
 * A map with its keys in the order of `<`. It stores them in chunks, so that an insert moves few entries and views
 * share chunks. A chunk that a view shares is copied before it is modified: taking a view copies nothing, and a write
 * after it copies at most one chunk.
 */
export class SortedMap<V> implements ReadonlySortedMap<V> {
  /** No chunk is empty. Every key of a chunk is smaller than the keys of the next one. */
  #chunks: Chunk<V>[] = [];
  #size = 0;
  /** Number of views taken so far. No view shares chunks of this age. */
  #age = 0;
  #view: ReadonlySortedMap<V> | undefined;

  get size(): number {
    return this.#size;
  }

  /** An immutable view of the current content. Returns the same object until the map changes. */
  view(): ReadonlySortedMap<V> {
    if (!this.#view) {
      const view = new SortedMap<V>();
      view.#chunks = this.#chunks;
      view.#size = this.#size;
      this.#age += 1;
      this.#view = view;
    }
    return this.#view;
  }

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkFor(key)];
    const index = chunk ? firstNotBelow(chunk.keys, key) : 0;
    return chunk?.keys[index] === key ? chunk.values[index] : undefined;
  }

  /** Returns true if the key is new. */
  set(key: string, value: V): boolean {
    if (this.#chunks.length === 0) this.#put(0, 0, this.#chunk([], []));
    const at = Math.min(this.#chunkFor(key), this.#chunks.length - 1);
    const { keys, values } = this.#chunks[at] as Chunk<V>;
    const index = firstNotBelow(keys, key);
    const isNew = keys[index] !== key;
    if (!isNew && values[index] === value) return false;
    const chunk = this.#writable(at);
    if (isNew) this.#insert(at, chunk, index, key, value);
    else chunk.values[index] = value;
    return isNew;
  }

  /** Returns true if the key existed. */
  delete(key: string): boolean {
    const at = this.#chunkFor(key);
    const keys = this.#chunks[at]?.keys ?? [];
    const index = firstNotBelow(keys, key);
    if (keys[index] !== key) return false;
    const chunk = this.#writable(at);
    chunk.keys.splice(index, 1);
    chunk.values.splice(index, 1);
    this.#size -= 1;
    this.#mergeSmall(at, chunk);
    return true;
  }

  keys(prefix = ''): string[] {
    const found: string[][] = [];
    this.#visit(prefix, ({ keys }, start, end) => found.push(keys.slice(start, end)));
    // Faster than flat().
    return found.length === 1 ? (found[0] as string[]) : NO_KEYS.concat(...found);
  }

  entries(prefix = ''): [key: string, value: V][] {
    const found: [string, V][] = [];
    this.#visit(prefix, ({ keys, values }, start, end) => {
      for (let index = start; index < end; index += 1) found.push([keys[index] as string, values[index] as V]);
    });
    return found;
  }

  /** Visits the keys with the prefix, chunk by chunk, from `start` to before `end`. */
  #visit(prefix: string, visit: (chunk: Chunk<V>, start: number, end: number) => void): void {
    for (let at = this.#chunkFor(prefix); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] as Chunk<V>;
      const { keys } = chunk;
      const start = firstNotBelow(keys, prefix);
      const isLastIncluded = keys.at(-1)?.startsWith(prefix) === true;
      const end = isLastIncluded ? keys.length : firstWithout(prefix, keys, start);
      if (end > start) visit(chunk, start, end);
      if (!isLastIncluded) return;
    }
  }

  /** Index of the first chunk that ends at or after the key, or the number of chunks if all end before it. */
  #chunkFor(key: string): number {
    // Keys of a list arrive in order.
    if ((this.#chunks.at(-1)?.keys.at(-1) ?? '') < key) return this.#chunks.length;
    return firstIndex(this.#chunks.length, (index) => (this.#chunks[index]?.keys.at(-1) ?? '') >= key);
  }

  /** Returns the chunk for writing, copied if a view shares it. */
  #writable(at: number): Chunk<V> {
    const chunk = this.#chunks[at] as Chunk<V>;
    if (chunk.age === this.#age) {
      this.#view = undefined;
      return chunk;
    }
    const copy = this.#chunk([...chunk.keys], [...chunk.values]);
    this.#put(at, 1, copy);
    return copy;
  }

  #insert(at: number, { keys, values }: Chunk<V>, index: number, key: string, value: V): void {
    if (index === keys.length) {
      keys.push(key);
      values.push(value);
    } else {
      keys.splice(index, 0, key);
      values.splice(index, 0, value);
    }
    this.#size += 1;
    if (keys.length <= MAX_CHUNK) return;
    const half = keys.length >> 1;
    this.#put(at + 1, 0, this.#chunk(keys.splice(half), values.splice(half)));
  }

  #mergeSmall(at: number, { keys, values }: Chunk<V>): void {
    const next = this.#chunks[at + 1];
    if (keys.length === 0) this.#put(at, 1);
    else if (next && keys.length + next.keys.length <= MAX_CHUNK >> 1) {
      this.#put(at, 2, this.#chunk([...keys, ...next.keys], [...values, ...next.values]));
    }
  }

  /** Replaces `removed` chunks at `at`. */
  #put(at: number, removed: number, ...chunks: Chunk<V>[]): void {
    if (this.#view) this.#chunks = [...this.#chunks];
    this.#view = undefined;
    this.#chunks.splice(at, removed, ...chunks);
  }

  #chunk(keys: string[], values: V[]): Chunk<V> {
    return { keys, values, age: this.#age };
  }
}

interface Chunk<V> {
  readonly keys: string[];
  readonly values: V[];
  /** Number of views at the time of its creation. */
  readonly age: number;
}

const MAX_CHUNK = 1_024;

const NO_KEYS: readonly string[] = [];

const firstNotBelow = (sorted: readonly string[], key: string): number =>
  (sorted.at(-1) ?? '') < key ? sorted.length : firstIndex(sorted.length, (index) => (sorted[index] as string) >= key);

/** The first index, from `start` on, of a key without the prefix. */
const firstWithout = (prefix: string, sorted: readonly string[], start: number): number =>
  firstIndex(sorted.length, (index) => !(sorted[index] as string).startsWith(prefix), start);

/** Binary search for the first index, from `start` on, for which `holds` is true. It must be true from there on. */
function firstIndex(length: number, holds: (index: number) => boolean, start = 0): number {
  let low = start;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
