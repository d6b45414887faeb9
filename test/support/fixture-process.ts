import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A program of `test/fixtures` in a process of its own, which disposing kills. */
export class FixtureProcess implements AsyncDisposable {
  /** Every line that it has printed, except those of `numbers`. */
  output = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  readonly #numbers = new Map<string, number[][]>();
  #unfinished = '';

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [`test/fixtures/${program}`, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#read(text);
    });
    this.#closed = once(this.#child, 'close');
  }

  /** The numbers of its lines that consist of this word and numbers. */
  numbers(word: string): readonly (readonly number[])[] {
    return this.#numbers.get(word) ?? [];
  }

  /** Resolves to its exit code when it ends by itself; `null` if it was killed. */
  async whenEnded(): Promise<unknown> {
    const [code] = await this.#closed;
    return code;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves to its exit code. */
  async end(name: NodeJS.Signals): Promise<unknown> {
    this.signal(name);
    return this.whenEnded();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Parses each line once: a process may print a hundred of them a second for many minutes. */
  #read(text: string): void {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    for (const line of lines) {
      const [word = '', ...rest] = line.split(' ');
      const numbers = rest.map(Number);
      if (numbers.length === 0 || numbers.some(Number.isNaN)) this.output += `${line}\n`;
      else if (!this.#numbers.get(word)?.push(numbers)) this.#numbers.set(word, [numbers]);
    }
  }
}
