import type { KeyRecord } from '../watch/key-record.js';
import type { ParsedChange } from './held-config.js';

type Change = ParsedChange<object> | Promise<ParsedChange<object>>;

/** What was parsed of a list while the rest was on its way. It is delivered in the same order, so nothing has to be looked up. */
export class EarlyChanges {
  readonly #records: KeyRecord[] = [];
  readonly #changes: Change[] = [];
  #taken = 0;

  add(record: KeyRecord, change: Change): void {
    this.#records.push(record);
    this.#changes.push(change);
  }

  /** What this write was parsed to, if it is the next one. */
  take({ id, revision }: Pick<KeyRecord, 'id' | 'revision'>): Change | undefined {
    const next = this.#records[this.#taken];
    if (next?.id !== id || next.revision !== revision) return undefined;
    return this.#changes[this.#taken++];
  }
}
