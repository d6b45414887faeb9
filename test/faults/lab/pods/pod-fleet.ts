import { eventually } from '../../../support/eventually.js';
import { FixtureProcess } from '../../../support/fixture-process.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';
import type { Random } from '../random.js';

/** An application process, with links to the members of its own. */
export interface Pod {
  readonly process: FixtureProcess;
  readonly links: readonly TcpProxy[];
}

/** The processes of one application, which take part in the same handler groups. */
export class PodFleet implements AsyncDisposable {
  readonly #ports: readonly number[];
  readonly #random: Random;
  #pods: readonly Pod[] = [];
  #started = 0;

  /** @param ports client ports of the members */
  constructor(ports: readonly number[], random: Random) {
    this.#ports = ports;
    this.#random = random;
  }

  /** Returns one of the processes. */
  pick(): Pod {
    return this.#random.pick(this.#pods);
  }

  /** Starts processes, or ends some with SIGTERM. Resolves when as many as wanted are running. */
  async scaleTo(count: number): Promise<void> {
    const missing = Math.max(0, count - this.#pods.length);
    await Promise.all(Array.from({ length: missing }, () => this.#start()));
    await Promise.all(this.#pods.slice(count).map((pod) => this.end(pod, 'SIGTERM')));
  }

  /** Replaces every process, one after the other: the new one is running before the old one is ended. */
  async redeploy(): Promise<void> {
    for (const pod of this.#pods) {
      await this.#start();
      await this.end(pod, 'SIGTERM');
    }
  }

  async end(pod: Pod, signal: NodeJS.Signals): Promise<void> {
    this.#pods = this.#pods.filter((each) => each !== pod);
    await pod.process.end(signal);
    for (const link of pod.links) link.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pods.map((pod) => this.end(pod, 'SIGKILL')));
  }

  async #start(): Promise<void> {
    const links = await Promise.all(this.#ports.map((port) => TcpProxy.start(port)));
    const hosts = links.map(({ endpoint }) => endpoint).join();
    const process = new FixtureProcess('group-effects.mjs', hosts, `pod-${(this.#started += 1)}`);
    this.#pods = [...this.#pods, { process, links }];
    await eventually(() => process.output.includes('ready'), { withinMs: 120_000 });
  }
}
