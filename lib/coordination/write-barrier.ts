import { type KeyRecord, keyText } from '../backend/key-record.js';
import type { Condition, KeyValueStore } from '../backend/key-value-store.js';
import { quoted } from '../foreign/foreign-text.js';

const VALUE = Buffer.from(JSON.stringify({ v: 1 }));

/**
 * Keeps writes whose answers were lost from being applied later. Each write under a lease requires the revision of one
 * key, which is absent until the first answer is lost. `raise` writes that key, and etcd refuses everything that was
 * sent before.
 */
export class WriteBarrier {
  readonly #keyValue: KeyValueStore;
  readonly #rawKey: string;
  readonly #lease: string;
  #revision = 0;

  /** @param lease decimal id of the lease, which also ends the key */
  constructor(keyValue: KeyValueStore, rawKey: string, lease: string) {
    this.#keyValue = keyValue;
    this.#rawKey = rawKey;
    this.#lease = lease;
  }

  get rawKey(): string {
    return this.#rawKey;
  }

  /** The last condition of each write under the lease. */
  get condition(): Condition {
    return { rawKey: this.#rawKey, revision: this.#revision };
  }

  /**
   * To be called with the answer to a refused write, whose last record is that of the barrier. Returns true if the
   * condition has changed since, so that a repetition is useful.
   */
  hasMoved(current: readonly (KeyRecord | undefined)[]): boolean {
    const revision = current.at(-1)?.revision ?? 0;
    const hasMoved = revision !== this.#revision;
    this.#revision = revision;
    return hasMoved;
  }

  /**
   * Resolves when etcd refuses each write that was sent before this call and has not been applied yet.
   * @throws as `KeyValueStore.commit`; then the call must be repeated
   */
  async raise(): Promise<void> {
    const key = keyText(this.#rawKey);
    const result = await this.#keyValue.commit({
      what: `put ${quoted(key)}`,
      key,
      conditions: [this.condition],
      operations: [{ type: 'put', rawKey: this.#rawKey, value: VALUE, lease: this.#lease }],
    });
    if (result.applied) this.#revision = result.revision;
    else this.hasMoved(result.current);
  }
}
