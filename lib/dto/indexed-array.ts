/**
 * An array whose `indexOf` is a lookup. `@ArrayUnique` of class-validator calls `indexOf` for each item, which takes
 * quadratic time for an ordinary array. The verdict is that of class-validator, because its own code decides. The
 * results of `map` and `filter` are indexed, too.
 */
export class IndexedArray extends Array<unknown> {
  #indexes: Map<unknown, number> | undefined;

  /** Compares like `===`: `NaN` is not found, and 0 equals -0. */
  override indexOf(item: unknown): number {
    this.#indexes ??= indexesOf(this);
    return Number.isNaN(item) ? -1 : (this.#indexes.get(item) ?? -1);
  }
}

/** Name of the constraint of `@ArrayUnique`. */
const ARRAY_UNIQUE = 'arrayUnique';

/** Returns the value to validate with the constraint: an indexed copy for `@ArrayUnique`, also with `each`. */
export function indexedFor(constraint: string | undefined, value: unknown, each = false): unknown {
  if (constraint !== ARRAY_UNIQUE) return value;
  if (!each) return indexed(value);
  if (value instanceof Map || value instanceof Set) return Array.from(value.values(), indexed);
  return Array.isArray(value) ? value.map(indexed) : indexed(value);
}

/** Short arrays are compared faster without an index. */
const indexed = (value: unknown): unknown =>
  Array.isArray(value) && value.length > MIN_INDEXED ? new IndexedArray().concat(value as unknown[]) : value;

const MIN_INDEXED = 32;

function indexesOf(items: readonly unknown[]): Map<unknown, number> {
  const indexes = new Map<unknown, number>();
  items.forEach((item, index) => {
    if (!indexes.has(item)) indexes.set(item, index);
  });
  return indexes;
}
