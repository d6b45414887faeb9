import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

class Candidate implements AsyncDisposable {
  output = '';
  readonly #child;
  readonly #closed;

  constructor(hosts: readonly string[]) {
    this.#child = spawn(process.execPath, ['test/fixtures/election.mjs', hosts.join()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#closed = once(this.#child, 'close');
  }

  /** The tokens of its terms. */
  get tokens(): number[] {
    return Array.from(this.output.matchAll(/^elected (\d+)$/gm), ([, token]) => Number(token));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async end(name: NodeJS.Signals): Promise<unknown> {
    this.signal(name);
    const [code] = (await this.#closed) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

describe('the leadership of a process', () => {
  const etcd = ownEtcd();

  /** Collects the tokens of all applied writes, in the order of etcd's revisions. */
  const observe = async () => {
    const app = await startApp({ hosts: etcd.hosts });
    const tokens: number[] = [];
    await app.watcher.watch({ key: '/effects' }, ({ value }) => {
      tokens.push(Number(value));
    });
    return { tokens, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
  };
  const start = async (): Promise<Candidate> => {
    const candidate = new Candidate(etcd.hosts);
    await eventually(() => candidate.output.includes('ready'));
    return candidate;
  };
  const ascending = (tokens: readonly number[]): number[] => [...tokens].sort((a, b) => a - b);

  it('goes to another one when it is killed, and each write has the token of its leader', async () => {
    await using effects = await observe();
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    await first.end('SIGKILL');
    await eventually(() => second.tokens.length === 1);
    const [token = 0] = second.tokens;
    await eventually(() => effects.tokens.includes(token));

    expect(effects.tokens).toEqual(ascending(effects.tokens));
    expect(new Set(effects.tokens)).toEqual(new Set([...first.tokens, ...second.tokens]));
  });

  it('is not held by a process that continues after the lease has expired, and its writes are refused', async () => {
    await using effects = await observe();
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    first.signal('SIGSTOP');
    await eventually(() => second.tokens.length === 1);
    first.signal('SIGCONT');
    await eventually(() => first.output.includes('refused ETCD_FENCE_LOST'));
    const written = effects.tokens.length;
    await eventually(() => effects.tokens.length > written + 3);

    expect(first.output).toContain('continued held=false');
    expect(effects.tokens).toEqual(ascending(effects.tokens));
    expect([first.tokens.length, second.tokens.length]).toEqual([1, 1]);
  });

  it('goes to another one at once when it stops in an orderly way', async () => {
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    const stopping = first.end('SIGTERM');
    await eventually(() => second.tokens.length === 1);
    await stopping;
    expect(first.output).toContain('ended while held');
    expect(first.output).not.toContain('refused');
  });
});
