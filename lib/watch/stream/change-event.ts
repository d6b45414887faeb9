import { inspect, type InspectOptionsStylized } from 'node:util';
import {
  byRawKey,
  isRemoval,
  keyBytesOf,
  type KeyChange,
  type KeyRecord,
  keyText,
  packedValueOf,
} from '../../backend/key-record.js';
import { printable } from '../../foreign/foreign-text.js';
import type { WatchEvent, WatchOrigin } from '../watch-event.js';

/** A `WatchEvent` as JSON and `util.inspect` show it: values can be secrets, so only their lengths are there. */
export interface PrintedEvent extends Pick<WatchEvent, 'type' | 'key' | 'revision' | 'origin' | 'lease'> {
  readonly valueBytes: number | undefined;
  readonly previousBytes: number | undefined;
}

/** A `WatchEvent` backed by the records of the cache. Strings and buffers are created when they are read. */
export class ChangeEvent implements WatchEvent {
  readonly #change: KeyChange;
  readonly #before: KeyRecord | undefined;

  constructor(
    change: KeyChange,
    before: KeyRecord | undefined,
    readonly origin: WatchOrigin,
  ) {
    this.#change = change;
    this.#before = before;
  }

  /**
   * Merges this event with an undelivered earlier one of its key. Returns `undefined` if the key was created and
   * deleted.
   */
  since(older: ChangeEvent): ChangeEvent | undefined {
    if (older.#before === undefined && isRemoval(this.#change)) return undefined;
    return new ChangeEvent(this.#change, older.#before, this.origin);
  }

  /** Restores the record before the change. */
  undoIn(records: Map<string, KeyRecord>): void {
    if (this.#before) records.set(this.rawKey, this.#before);
    else records.delete(this.rawKey);
  }

  get revision(): number {
    return this.#change.revision;
  }

  get type(): 'put' | 'delete' {
    return isRemoval(this.#change) ? 'delete' : 'put';
  }

  get rawKey(): string {
    return this.#change.rawKey;
  }

  get key(): string {
    return keyText(this.#change.rawKey);
  }

  get keyBytes(): Buffer {
    return keyBytesOf(this.#change.rawKey);
  }

  get value(): Buffer | undefined {
    return this.#change.value;
  }

  /** The value as it is stored: a short one as a string with one char per byte. */
  get packedValue(): Buffer | string | undefined {
    return isRemoval(this.#change) ? undefined : packedValueOf(this.#change);
  }

  get previous(): Buffer | undefined {
    return this.#before?.value;
  }

  get createRevision(): number {
    return this.#change.createRevision ?? 0;
  }

  get version(): number {
    return isRemoval(this.#change) ? 0 : this.#change.version;
  }

  get lease(): string | undefined {
    return isRemoval(this.#change) ? undefined : this.#change.lease;
  }

  toJSON(): PrintedEvent {
    const { type, key, revision, origin, lease, packedValue } = this;
    const previous = this.#before && packedValueOf(this.#before);
    return { type, key, revision, origin, lease, valueBytes: packedValue?.length, previousBytes: previous?.length };
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const printed: PrintedEvent = { ...this.toJSON(), key: printable(this.key) };
    const shown = Object.entries(printed).filter(([, value]) => value !== undefined);
    return `WatchEvent ${inspect(Object.fromEntries(shown), options)}`;
  }
}

/** One revision of a range, its list, or the difference after a resync, as its listeners receive it. */
export interface ChangeBatch {
  readonly revision: number;
  readonly events: readonly ChangeEvent[];
  readonly origin: WatchOrigin;
  /** The records of a list, from which its events are created. */
  readonly records?: readonly KeyRecord[];
}

/**
 * The content of a cache, keys in byte order. Events are created when they are read: the store parses the records
 * directly.
 */
export class InitialBatch implements ChangeBatch {
  readonly origin = 'initial';
  readonly records: readonly KeyRecord[];
  #events: readonly ChangeEvent[] | undefined;

  constructor(
    readonly revision: number,
    records: Iterable<KeyRecord>,
  ) {
    const all = [...records];
    // Usually they are still in the order of the list, and checking is cheaper than sorting.
    this.records = isInOrder(all) ? all : all.sort(byRawKey);
  }

  get events(): readonly ChangeEvent[] {
    return (this.#events ??= this.records.map((record) => new ChangeEvent(record, undefined, 'initial')));
  }

  /** Shows what other batches have, and not the records. */
  toJSON(): Pick<ChangeBatch, 'revision' | 'events' | 'origin'> {
    const { revision, events, origin } = this;
    return { revision, events, origin };
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return inspect(this.toJSON(), options);
  }
}

const isInOrder = (records: readonly KeyRecord[]): boolean =>
  records.every(({ rawKey }, index) => index === 0 || (records[index - 1]?.rawKey ?? '') < rawKey);
