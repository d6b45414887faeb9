import type { KeyRecord } from '../watch/key-record.js';
import type { ParsedChange } from './held-config.js';

/** A promise where a validator is asynchronous. */
export type Change = ParsedChange<object> | Promise<ParsedChange<object>>;

/** What was parsed of a list while the rest was on its way. */
export class EarlyChanges {
  readonly changes: Change[] = [];
  readonly #records: KeyRecord[] = [];

  /** Without a change for what is not to be parsed. */
  add(record: KeyRecord, change: Change | undefined): void {
    this.#records.push(record);
    if (change) this.changes.push(change);
  }

  /** Whether the list has these very records. */
  isOf(records: readonly KeyRecord[]): boolean {
    return records.length === this.#records.length && records.every((record, index) => record === this.#records[index]);
  }
}
