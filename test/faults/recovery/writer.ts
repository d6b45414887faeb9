import { randomUUID } from 'node:crypto';
import { Etcd3 } from 'etcd3';
import { eventually } from '../../support/eventually.js';
import type { Follower } from './follower.js';

/** Writes over direct connections and verifies that the writes are delivered. */
export class Writer implements Disposable {
  readonly #etcd: Etcd3;

  constructor(
    hosts: string[],
    auth?: { username: string; password: string },
    readonly prefix = '/recovery/',
  ) {
    this.#etcd = new Etcd3({ hosts, ...(auth && { auth }) });
  }

  /** Writes a new key. @returns the key */
  async put(bytes = 1): Promise<string> {
    const key = this.prefix + randomUUID();
    await eventually(() => this.#etcd.put(key).value(Buffer.alloc(bytes)));
    return key;
  }

  /** Waits until the given keys and a new one have reached the follower, in order and without a resync. */
  async verifyDelivery(follower: Follower, ...written: string[]): Promise<void> {
    const keys = [...written, await this.put()];
    const { events, notices } = follower.recorder;
    const seen = new Set<string>();
    let checked = 0;
    await eventually(() => {
      for (; checked < events.length; checked += 1) seen.add(events[checked]?.key ?? '');
      return keys.every((key) => seen.has(key));
    });
    const isOrdered = events.every(({ revision }, index) => revision > (events[index - 1]?.revision ?? 0));
    if (!isOrdered || notices.length > 0) throw new Error('the watch did not resume at its cursor');
    events.length = 0;
  }

  [Symbol.dispose](): void {
    this.#etcd.close();
  }
}
