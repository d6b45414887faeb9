import { eventually } from './eventually.js';
import { PodProcess } from './pod-process.js';

/** Many processes that start at once take their time on a small machine. */
const START_TIMEOUT_MS = 120_000;

/** Processes of one application. */
export class Pods implements AsyncDisposable {
  readonly #all: PodProcess[] = [];
  readonly #program: string;
  readonly #hosts: readonly string[];
  readonly #args: readonly string[];

  private constructor(program: string, hosts: readonly string[], args: readonly string[]) {
    this.#program = program;
    this.#hosts = hosts;
    this.#args = args;
  }

  static async start(
    program: string,
    { hosts, count, args = [] }: { hosts: readonly string[]; count: number; args?: readonly string[] },
  ): Promise<Pods> {
    const pods = new Pods(program, hosts, args);
    for (let index = 0; index < count; index += 1) await pods.start();
    return pods;
  }

  /** All that were ever started, so that nothing is missed that a dead one has printed. */
  get all(): readonly PodProcess[] {
    return this.#all;
  }

  get(name: string): PodProcess {
    const found = this.#all.find((each) => each.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  }

  async start(): Promise<void> {
    const name = `pod-${this.#all.length}`;
    this.#all.push(await PodProcess.start(this.#program, { hosts: this.#hosts, name, args: this.#args }));
  }

  /** Resolves when all that have not ended take part. Rejects if one has exited that nobody has ended. */
  async ready(): Promise<void> {
    const lost = this.#all.find(({ isEnded, hasExited }) => !isEnded && hasExited);
    if (lost) throw new Error(`${lost.name} has exited by itself`);
    const areReady = (): boolean => this.#all.every(({ isEnded, output }) => isEnded || output.includes('ready'));
    await eventually(areReady, { withinMs: START_TIMEOUT_MS });
  }

  /** The numbers of such lines of all processes. */
  numbers(word: string): (readonly number[])[] {
    return this.#all.flatMap((each) => each.numbers(word));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((each) => each[Symbol.asyncDispose]()));
  }
}
