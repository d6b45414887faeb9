import { keyText } from '../backend/key-record.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { quoted } from '../foreign/foreign-text.js';
import { quietPause } from '../timing/backoff.js';

const CHECK_EVERY_MS = 500;
const CHECKS = 60;

/**
 * A write whose answer was lost may be applied even after the removal of its key. The key that it creates blocks all
 * other instances, so it is looked for more often than the lease is renewed. A check that finds nothing is no raft
 * proposal. The renewals find a key that comes even later.
 */
export class LateWrites {
  readonly #log: InstanceLog;
  readonly #closing: AbortSignal;

  constructor(log: InstanceLog, closing: AbortSignal) {
    this.#log = log;
    this.#closing = closing;
  }

  /**
   * Checks the key after its removal, until `isObsolete`.
   * @param tryRemove resolves to true if the key existed
   */
  async remove(rawKey: string, isObsolete: () => boolean, tryRemove: () => Promise<boolean>): Promise<void> {
    for (let checks = 0; checks < CHECKS; checks += 1) {
      await quietPause(CHECK_EVERY_MS, this.#closing);
      if (this.#closing.aborted || isObsolete()) return;
      try {
        if (await tryRemove()) this.report(rawKey);
      } catch {
        // The next check follows.
      }
    }
  }

  report(rawKey: string): void {
    this.#log.warn(`${quoted(keyText(rawKey))} was left behind by a write whose answer was lost; removing it`);
  }
}
