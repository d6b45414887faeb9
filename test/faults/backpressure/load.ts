import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';

const WRITERS = 4;
/** Operations per transaction: etcd's limit. */
const MAX_OPERATIONS = 128;
const KEYS = 1_000;
const PROBE_EVERY_MS = 50;

/** Writes transactions of small values from several writers at a limited rate. @returns the number of events */
export async function writeLoad(hosts: readonly string[], events: number, perSecond: number): Promise<number> {
  const etcd = new Etcd3({ hosts: [...hosts] });
  const begin = performance.now();
  let written = 0;
  const write = async (): Promise<void> => {
    while (written < events) {
      const from = written;
      const count = Math.min(MAX_OPERATIONS, events - from);
      written += count;
      const puts = Array.from({ length: count }, (_, index) => ({
        request_put: {
          key: Buffer.from(`/load/${(from + index) % KEYS}`),
          value: Buffer.from(`{"sentAt":${from + index}}`),
        },
      }));
      await etcd.kv.txn({ success: puts });
      await sleep(Math.max(0, begin + (written / perSecond) * 1_000 - performance.now()));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  etcd.close();
  return written;
}

/** Writes the current time to a key under the load's prefix and to one under another prefix, until it is stopped. */
export class Probe {
  readonly #etcd: Etcd3;
  readonly #running: Promise<void>;
  #isStopped = false;
  /** Number of writes under the load's prefix. */
  writes = 0;

  constructor(hosts: readonly string[]) {
    this.#etcd = new Etcd3({ hosts: [...hosts] });
    this.#running = this.#run();
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#running;
    this.#etcd.close();
    return this.writes;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#put('/load/probe');
      this.writes += 1;
      await this.#put('/elsewhere/probe');
      await sleep(PROBE_EVERY_MS);
    }
  }

  async #put(key: string): Promise<void> {
    const sentAt = performance.timeOrigin + performance.now();
    await this.#etcd.put(key).value(JSON.stringify({ sentAt }));
  }
}
