import { type KeyChange, keyBytesOf, type KeyRecord, keyText } from './key-record.js';
import type { WatchEvent, WatchOrigin } from './watch-event.js';

/** A `WatchEvent` over what is kept anyway: key text and key bytes are made when they are read. */
export class ChangeEvent implements WatchEvent {
  readonly type: 'put' | 'delete';
  readonly value: Buffer | undefined;
  readonly previous: Buffer | undefined;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | undefined;

  constructor(
    change: KeyChange,
    before: KeyRecord | undefined,
    readonly revision: number,
    readonly origin: WatchOrigin,
  ) {
    const record = change.value === undefined ? undefined : change;
    this.type = record ? 'put' : 'delete';
    this.id = change.id;
    this.value = record?.value;
    this.previous = before?.value;
    this.createRevision = record?.createRevision ?? 0;
    this.version = record?.version ?? 0;
    this.lease = record?.lease;
  }

  /** The key with one char a byte: what the library itself tells keys apart by. */
  readonly id: string;

  get key(): string {
    return keyText(this.id);
  }

  get keyBytes(): Buffer {
    return keyBytesOf(this.id);
  }
}

/** One revision (or one list, or one difference) of a range, as handed to its listeners. */
export interface ChangeBatch {
  readonly revision: number;
  readonly events: readonly ChangeEvent[];
  readonly origin: WatchOrigin;
}
