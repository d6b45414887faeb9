import { eventually } from '../../../support/eventually.js';
import { PodProcess } from '../../../support/pod-process.js';
import type { Random } from '../random.js';

/** The processes of one application, which take part in the same handler groups. */
export class PodFleet implements AsyncDisposable {
  readonly #hosts: readonly string[];
  readonly #random: Random;
  #pods: readonly PodProcess[] = [];
  #started = 0;

  constructor(hosts: readonly string[], random: Random) {
    this.#hosts = hosts;
    this.#random = random;
  }

  /** Returns one of the processes. */
  pick(): PodProcess {
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

  async end(pod: PodProcess, signal: NodeJS.Signals): Promise<void> {
    this.#pods = this.#pods.filter((each) => each !== pod);
    await pod.end(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pods.map((pod) => this.end(pod, 'SIGKILL')));
  }

  async #start(): Promise<void> {
    const name = `pod-${(this.#started += 1)}`;
    const pod = await PodProcess.start('group-effects.mjs', { hosts: this.#hosts, name });
    this.#pods = [...this.#pods, pod];
    await eventually(() => pod.output.includes('ready'), { withinMs: 120_000 });
  }
}
