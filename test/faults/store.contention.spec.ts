import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** `npm run contention` sets 1,000. */
const INCREMENTS = Number(process.env.CONTENTION_INCREMENTS ?? 8);
const CUT_EVERY_MS = 60;
const PROCESSES = ['a', 'b', 'c', 'd'];
const KEY = '/contention/counter';

type Claim = readonly [attempt: string, what: 'applied' | 'unknown' | 'rejected', revision: number | string];

describe(`8 writers in 4 processes that increment one counter ${INCREMENTS} times each, under cut connections,`, () => {
  const etcd = ownEtcd();
  let proxies: TcpProxy[];

  beforeEach(async () => {
    proxies = await Promise.all(PROCESSES.map(() => TcpProxy.start(etcd.first.clientPort)));
  });

  const limit = 60_000 + INCREMENTS * 2_000;

  it(
    'with markers: the sum is exact',
    async () => {
      const { claims, sum, applied } = await contend('/outcomes');

      expectTrue(claims, applied);
      expect(claims.filter(([, what]) => what === 'unknown')).toEqual([]);
      expect(sum).toBe(8 * INCREMENTS);
      console.log(summary('with markers', claims, sum, proxies));
    },
    limit,
  );

  it(
    'without: the sum is between the confirmed and the possible increments, and no claim is wrong',
    async () => {
      const { claims, sum, applied } = await contend();
      const confirmed = claims.filter(([, what]) => what === 'applied').length;
      const unknown = claims.filter(([, what]) => what === 'unknown').length;

      expectTrue(claims, applied);
      expect(confirmed + unknown).toBe(8 * INCREMENTS);
      expect(sum).toBeGreaterThanOrEqual(confirmed);
      expect(sum).toBeLessThanOrEqual(confirmed + unknown);
      console.log(summary('without', claims, sum, proxies));
    },
    limit,
  );

  /** The claims of the writers, and the applied attempts by revision, read over a connection that is never cut. */
  async function contend(outcomes?: string): Promise<{
    readonly claims: readonly Claim[];
    readonly sum: number;
    readonly applied: ReadonlyMap<number, string>;
  }> {
    await using witness = await startApp({ hosts: etcd.hosts });
    await witness.watcher.delete(KEY);
    const applied = new Map<number, string>();
    let sum = 0;
    await witness.watcher.watch({ key: KEY }, ({ revision, value }) => {
      const { count, attempt } = JSON.parse(value?.toString() ?? '{}') as { count: number; attempt: string };
      applied.set(revision, attempt);
      sum = count;
    });
    const writers = await Promise.all(
      PROCESSES.map((name, index) => startWriter(proxies[index]?.endpoint ?? '', name, outcomes)),
    );
    const writing = Promise.all(writers.map((writer) => writer.write()));
    let isWriting = true;
    const cutting = (async () => {
      for (let round = 0; isWriting; round += 1) {
        const proxy = proxies[round % proxies.length];
        if (round % 3 === 0) proxy?.cut({ reset: true });
        else proxy?.cutAfter(round % 3 === 1 ? 1 : 400);
        await sleep(CUT_EVERY_MS);
      }
    })();
    const claims = (await writing).flat();
    isWriting = false;
    await cutting;
    const { revision } = await witness.watcher.get(KEY);
    await eventually(() => applied.has(revision));
    for (const proxy of proxies) proxy.stop();
    return { claims, sum, applied };
  }
});

/**
 * Each attempt was applied at most once: at the claimed revision, at any revision if the outcome is unknown, or not at
 * all.
 */
function expectTrue(claims: readonly Claim[], applied: ReadonlyMap<number, string>): void {
  const confirmed = claims.filter(([, what]) => what === 'applied');
  for (const [attempt, , revision] of confirmed) expect(applied.get(Number(revision))).toBe(attempt);
  const attempts = [...applied.values()];
  expect(new Set(attempts).size).toBe(attempts.length);
  const mayBeApplied = new Set(claims.filter(([, what]) => what !== 'rejected').map(([attempt]) => attempt));
  expect(attempts.filter((attempt) => !mayBeApplied.has(attempt))).toEqual([]);
}

interface Writer {
  /** Resolves when the process has ended. */
  write(): Promise<Claim[]>;
}

/** Starts a process with two writers; resolves when it is ready. */
async function startWriter(hosts: string, name: string, outcomes: string | undefined): Promise<Writer> {
  const args = [hosts, name, String(INCREMENTS), ...(outcomes ? [outcomes] : [])];
  const child = spawn(process.execPath, ['test/fixtures/contention-writer.mjs', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<Claim[]>((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.trim().split('\n').at(-1) ?? '') as Claim[]);
      else reject(new Error(`writer ${name} ended with ${String(code)}`));
    });
  });
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
  return {
    write: () => {
      child.stdin.end('go');
      return ended;
    },
  };
}

function summary(how: string, claims: readonly Claim[], sum: number, proxies: readonly TcpProxy[]): string {
  const count = (kind: string): number => claims.filter(([, what]) => what === kind).length;
  const connections = proxies.reduce((all, { accepted }) => all + accepted, 0);
  return `${how}: sum ${sum}, confirmed ${count('applied')}, unknown ${count('unknown')}, rejected ${count('rejected')}, over ${connections} connections`;
}
