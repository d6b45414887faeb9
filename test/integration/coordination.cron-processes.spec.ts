import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';

class Instance implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(
    hosts: readonly string[],
    readonly pod: string,
  ) {
    this.#child = spawn(process.execPath, ['test/fixtures/cron.mjs', hosts.join(), pod], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#closed = once(this.#child, 'close');
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

describe('a cron job of several processes', () => {
  const etcd = ownEtcd();

  const ticks = async () => {
    const { kvs } = await etcd.direct.getAll().prefix('/ticks/').exec();
    return kvs.map(({ key, value, version }) => ({
      at: Date.parse(key.toString().slice('/ticks/'.length)),
      pod: value.toString().split(' ')[0] ?? '',
      writes: Number(version),
    }));
  };
  const podsOf = (found: readonly { readonly pod: string }[]): Set<string> => new Set(found.map(({ pod }) => pod));
  const waitForTicks = async (isEnough: (found: Awaited<ReturnType<typeof ticks>>) => boolean): Promise<void> => {
    await eventually(async () => isEnough(await ticks()));
  };

  it('starts no tick twice while owners are killed and stopped, and makes up for missed ones', async () => {
    await using a = new Instance(etcd.hosts, 'a');
    await using b = new Instance(etcd.hosts, 'b');
    await using c = new Instance(etcd.hosts, 'c');
    const instances = [a, b, c];
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const before = podsOf(await ticks()).size;
      await waitForTicks((found) => podsOf(found).size > before);
      const count = (await ticks()).length;
      await waitForTicks((found) => found.length > count + 1);
      const owner = (await ticks()).at(-1)?.pod ?? '';
      await instances.find(({ pod }) => pod === owner)?.end(signal);
    }
    await waitForTicks((found) => podsOf(found).size === 3);
    const found = await ticks();

    expect(found.filter(({ writes }) => writes > 1)).toEqual([]);
    // The process that was killed may have stored a tick without having written its key.
    const seconds = found.map(({ at }) => at / 1_000);
    const gaps = seconds.slice(1).filter((second, index) => second !== (seconds[index] ?? 0) + 1);
    expect(gaps.length).toBeLessThanOrEqual(1);
  });
});
