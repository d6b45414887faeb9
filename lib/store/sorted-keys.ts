/** Strings in the order of `<`, for many keys with single inserts in between: sorted chunks, so that one insert moves little. */
export class SortedKeys {
  /** Never empty ones; every string of a chunk is smaller than those of the next. */
  readonly #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Says whether it is new. */
  add(key: string): boolean {
    const at = Math.min(this.#chunkFor(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([key]);
    } else {
      const index = firstNotBelow(chunk, key);
      if (chunk[index] === key) return false;
      chunk.splice(index, 0, key);
      if (chunk.length > MAX_CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(chunk.length >> 1));
    }
    this.#size += 1;
    return true;
  }

  /** Says whether it was there. */
  delete(key: string): boolean {
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    const index = chunk ? firstNotBelow(chunk, key) : 0;
    if (chunk?.[index] !== key) return false;
    chunk.splice(index, 1);
    this.#size -= 1;
    this.#mergeSmall(at, chunk);
    return true;
  }

  /** All that begin with the prefix: O(result + log n). */
  startingWith(prefix: string): string[] {
    const found: string[] = [];
    for (let at = this.#chunkFor(prefix); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      for (let index = firstNotBelow(chunk, prefix); index < chunk.length; index += 1) {
        const key = chunk[index] ?? '';
        if (!key.startsWith(prefix)) return found;
        found.push(key);
      }
    }
    return found;
  }

  /** Index of the first chunk that ends at or after the key; the number of chunks when all end before. */
  #chunkFor(key: string): number {
    return firstIndex(this.#chunks.length, (index) => (this.#chunks[index]?.at(-1) ?? '') >= key);
  }

  #mergeSmall(at: number, chunk: string[]): void {
    const next = this.#chunks[at + 1];
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    else if (next && chunk.length + next.length <= MAX_CHUNK >> 1) this.#chunks.splice(at, 2, [...chunk, ...next]);
  }
}

const MAX_CHUNK = 1_024;

const firstNotBelow = (sorted: readonly string[], key: string): number =>
  firstIndex(sorted.length, (index) => (sorted[index] ?? '') >= key);

/** The first index of which `holds` is true; it must be false up to there and true from there. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
