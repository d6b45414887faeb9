import { setTimeout as sleep } from 'node:timers/promises';
import type { DirectMember } from '../direct-member.js';
import type { Random } from '../random.js';
import { ORDERS } from './effect-checker.js';

const WRITERS = 3;
const PACE_MS = 60;
const NAMES = 24;
const DELETES_PERCENT = 15;

/** Concurrent writers of orders that use direct connections. What they have really written is read from the history. */
export class OrderWriters {
  readonly #members: readonly DirectMember[];
  readonly #random: Random;
  #run = new AbortController();
  #writing: readonly Promise<void>[] = [];
  #count = 0;

  constructor(members: readonly DirectMember[], random: Random) {
    this.#members = members;
    this.#random = random;
  }

  start(): void {
    this.#run = new AbortController();
    const { signal } = this.#run;
    this.#writing = Array.from({ length: WRITERS }, () => this.#write(this.#random.fork(), signal));
  }

  /** Resolves when every request has completed. */
  async pause(): Promise<void> {
    this.#run.abort();
    await Promise.all(this.#writing);
  }

  async #write(random: Random, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const names = new Set(Array.from({ length: random.int(1, 3) }, () => random.int(0, NAMES - 1)));
      const success = Array.from(names, (name) => this.#request(Buffer.from(`${ORDERS}${name}`), random));
      // An answer that is lost changes nothing, because the recorded history shows whether the write was applied.
      await random
        .pick(this.#members)
        .call('KV', 'Txn', { success })
        .catch(() => undefined);
      await sleep(PACE_MS);
    }
  }

  #request(key: Buffer, random: Random): object {
    if (random.percent(DELETES_PERCENT)) return { request_delete_range: { key } };
    return { request_put: { key, value: Buffer.from(String((this.#count += 1))) } };
  }
}
