import { keyText } from '../backend/key-record.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { quoted } from '../foreign/foreign-text.js';
import { isRefusal } from './refusal.js';

/** The keys that etcd refuses to remove, each with one sentence that is logged once. */
export class RefusedRemovals {
  readonly #log: InstanceLog;
  readonly #sentences = new Map<string, string>();

  constructor(log: InstanceLog) {
    this.#log = log;
  }

  get problems(): readonly string[] {
    return [...this.#sentences.values()];
  }

  /** An attempt to remove the key has failed. */
  failed(rawKey: string, error: unknown): void {
    if (!isRefusal(error) || this.#sentences.has(rawKey)) return;
    const sentence = `${quoted(keyText(rawKey))} cannot be removed: ${error.message}`;
    this.#sentences.set(rawKey, sentence);
    this.#log.warn(`${sentence}; retrying`);
  }

  forget(rawKey: string): void {
    this.#sentences.delete(rawKey);
  }
}
