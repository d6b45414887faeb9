import type { Operation } from '../../backend/key-value-store.js';
import type { ChangeEvent } from '../../watch/stream/change-event.js';

/** The names of a partition's keys, which a write stores or deletes. */
export interface PlannedKeys {
  readonly operations: readonly Operation[];
  /** True if more names wait for the next write. */
  readonly isPartial: boolean;
  /** The waiting names that the write covers. */
  readonly covered: readonly (readonly [string, boolean])[];
}

/** A stored name of a key. */
export interface RememberedKey {
  readonly rawKey: string;
  /** The revision of a deletion that may be handled: then the key counts as deleted, else as present. */
  readonly deletedAt: number | undefined;
}

export interface RememberedKeysOptions {
  /** Raw prefix of the names; `undefined`: nothing is remembered. */
  readonly prefix: string | undefined;
  /** The largest number of operations of a transaction. */
  readonly transactionOperations: number;
}

/** The number of names that one write changes at most, and of the operations that it has besides. */
const MAX_KEYS = 100;
const OTHER_OPERATIONS = 28;
/** The size of the names in one write, in bytes, unless a single name is larger. */
const MAX_BYTES = 65_536;

/**
 * The keys that the handler knows, by name: so that deletions are known after a compaction. The names are stored before
 * the cursor moves past the events of their creation, and deleted when it has moved past those of their deletion.
 */
export class RememberedKeys {
  readonly #prefix: string | undefined;
  readonly #transactionOperations: number;
  readonly #max: number;
  /** Names to store (true) or to delete (false), of events that are handled. */
  readonly #waiting = new Map<string, boolean>();

  constructor({ prefix, transactionOperations }: RememberedKeysOptions) {
    this.#prefix = prefix;
    this.#transactionOperations = transactionOperations;
    this.#max = Math.max(1, Math.min(MAX_KEYS, transactionOperations - OTHER_OPERATIONS));
  }

  get isEnabled(): boolean {
    return this.#prefix !== undefined;
  }

  /** Number of names that are not stored or deleted yet. */
  get size(): number {
    return this.#waiting.size;
  }

  /** True if so many names wait that they need a write now. */
  get isFull(): boolean {
    return this.#waiting.size >= this.#max;
  }

  /** The events are handled. */
  add(events: readonly ChangeEvent[]): void {
    for (const [rawKey, isThere] of this.#changesOf(events)) this.#waiting.set(rawKey, isThere);
  }

  /** These keys are there. */
  addPresent(rawKeys: Iterable<string>): void {
    for (const rawKey of rawKeys) this.#waiting.set(rawKey, true);
  }

  /** These keys are no longer there. */
  addAbsent(rawKeys: Iterable<string>): void {
    for (const rawKey of rawKeys) this.#waiting.set(rawKey, false);
  }

  /** The part of a write that stores the waiting names, and those of events that are handled with it. */
  plan(handled: readonly ChangeEvent[] = []): PlannedKeys {
    const covered = this.#firstOf([...this.#waiting]);
    const changes = new Map([...covered, ...this.#changesOf(handled)]);
    return {
      operations: Array.from(changes, ([rawKey, isThere]) => (isThere ? this.#put(rawKey, '') : this.#delete(rawKey))),
      isPartial: covered.length < this.#waiting.size,
      covered,
    };
  }

  /** The write was applied. */
  stored({ covered }: Pick<PlannedKeys, 'covered'>): void {
    for (const [rawKey, isThere] of covered) if (this.#waiting.get(rawKey) === isThere) this.#waiting.delete(rawKey);
  }

  /** True if one write can store the waiting names and those of the events, besides `others` operations. */
  fits(handled: readonly ChangeEvent[], others: number): boolean {
    const changes = [...this.#waiting, ...this.#changesOf(handled)];
    return (
      changes.length <= this.#max &&
      changes.length + others <= this.#transactionOperations &&
      this.#firstOf(changes).length === changes.length
    );
  }

  /**
   * Stores the names of events that are not handled yet, in as many writes as they need. `add` is to be called with the
   * deletions when they are handled.
   */
  ahead(events: readonly ChangeEvent[]): Operation[][] {
    const chunks: Operation[][] = [];
    const revisions = new Map(events.map(({ rawKey, revision }) => [rawKey, revision]));
    const left = [...this.#changesOf(events)];
    while (left.length > 0) {
      const chunk = left.splice(0, this.#firstOf(left).length);
      chunks.push(
        chunk.map(([rawKey, isThere]) => this.#put(rawKey, isThere ? '' : String(revisions.get(rawKey) ?? 0))),
      );
    }
    return chunks;
  }

  #firstOf(changes: readonly (readonly [string, boolean])[]): (readonly [string, boolean])[] {
    let bytes = 0;
    let count = 0;
    for (const [{ length }] of changes) {
      bytes += length;
      if (count === this.#max || (count > 0 && bytes > MAX_BYTES)) break;
      count += 1;
    }
    return changes.slice(0, count);
  }

  /** Changes of values do not matter. */
  #changesOf(events: readonly ChangeEvent[]): Map<string, boolean> {
    if (!this.isEnabled) return new Map();
    return new Map(
      events
        .filter(({ type, version, origin }) => type === 'delete' || version === 1 || origin !== 'live')
        .map(({ rawKey, type }) => [rawKey, type === 'put']),
    );
  }

  #put(rawKey: string, value: string): Operation {
    return { type: 'put', rawKey: (this.#prefix ?? '') + rawKey, value: Buffer.from(value) };
  }

  #delete(rawKey: string): Operation {
    return { type: 'delete', rawKey: (this.#prefix ?? '') + rawKey };
  }
}

/** Returns the key of a stored name. */
export function rememberedKeyOf(rawKey: string, value: Buffer, prefix: string): RememberedKey {
  const revision = value.length === 0 ? undefined : Number(value.toString());
  return { rawKey: rawKey.slice(prefix.length), deletedAt: Number.isSafeInteger(revision) ? revision : undefined };
}
