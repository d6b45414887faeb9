import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';

export interface LatencyOptions {
  readonly hosts: string[];
  readonly puts: number;
  readonly perSecond: number;
}

/** Puts `/b/0`, `/b/1`... at a steady rate. `arrived(key)` records the latency of each event. */
export class LatencyProbe {
  readonly #sentAt: number[] = [];
  readonly #latencies: number[] = [];
  #done!: () => void;
  readonly #all = new Promise<void>((resolve) => {
    this.#done = resolve;
  });

  constructor(private readonly options: LatencyOptions) {}

  arrived(key: string): void {
    this.#latencies.push(performance.now() - (this.#sentAt[Number(key.slice('/b/'.length))] ?? Number.NaN));
    if (this.#latencies.length === this.options.puts) this.#done();
  }

  async run(): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
    const { hosts, puts, perSecond } = this.options;
    const writer = new Etcd3({ hosts });
    const begin = performance.now();
    const responses: Promise<unknown>[] = [];
    for (let index = 0; index < puts; index += 1) {
      await sleep(Math.max(0, begin + (index * 1_000) / perSecond - performance.now()));
      this.#sentAt.push(performance.now());
      responses.push(writer.put(`/b/${index}`).value('v'.repeat(100)).exec());
    }
    await Promise.all([...responses, this.#all]);
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}
