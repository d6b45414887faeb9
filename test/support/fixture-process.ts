import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A program of `test/fixtures` in a process of its own, which disposing kills. */
export class FixtureProcess implements AsyncDisposable {
  /** Everything that it has printed. */
  output = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [`test/fixtures/${program}`, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#closed = once(this.#child, 'close');
  }

  /** The numbers of its lines that consist of this word and numbers. */
  numbers(word: string): number[][] {
    return Array.from(this.output.matchAll(new RegExp(`^${word}((?: [\\d.]+)+)$`, 'gm')), ([, numbers = '']) =>
      numbers.trim().split(' ').map(Number),
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves to its exit code. */
  async end(name: NodeJS.Signals): Promise<unknown> {
    this.signal(name);
    const [code] = await this.#closed;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}
