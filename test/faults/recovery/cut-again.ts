import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

const CUTS = 10;
/** What was missed is one message of the server; no connection lives long enough for all of it. */
const MISSED = { writes: 40, bytes: 300_000 };
const LONGEST_LIFE_BYTES = 4_000_000;

/**
 * Each new connection is cut again, at any byte: while it is made, while the watch is accepted and compared, or in the
 * middle of a message of 12 MB. The longest pause between two attempts is 1 s.
 */
export const CUT_AGAIN: readonly RecoveryScenario[] = (['FIN', 'RST'] as const).map((kind) => ({
  fault: `cut again with ${kind} after each reconnection`,
  measured: 'cut until the next connection, the longest of ten',
  limitMs: 1_250,
  statistic: 'max',
  rounds: 20,
  followers: 1,
  open: () => open(kind === 'RST'),
}));

/** More often early than late: most of what can be interrupted lies in the first bytes. */
const anyByte = (): number => 1 + Math.floor(Math.random() ** 3 * LONGEST_LIFE_BYTES);

async function open(reset: boolean): Promise<RecoveryPlace> {
  const cluster = await EtcdTestCluster.start({ args: ['--quota-backend-bytes=8000000000'] });
  const writer = new Writer(cluster.hosts);
  return {
    async follow() {
      const link = await TcpProxy.start(cluster.first.clientPort);
      const follower = await Follower.start(writer, { hosts: link.endpoint });
      return {
        async round() {
          link.refuse();
          link.cut();
          const missed: string[] = [];
          while (missed.length < MISSED.writes) missed.push(await writer.put(MISSED.bytes));
          await link.accept();
          const pauses = await cutEach(link, Array.from({ length: CUTS }, anyByte), { reset });
          await writer.prove(follower, ...missed);
          return Math.max(...pauses);
        },
        async [Symbol.asyncDispose]() {
          await follower[Symbol.asyncDispose]();
          link.stop();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      writer[Symbol.dispose]();
      await cluster.stop();
    },
  };
}

/**
 * Cuts each connection after the next of these numbers of bytes; milliseconds from each cut until the connection after
 * it.
 */
export async function cutEach(
  link: TcpProxy,
  bytes: readonly number[],
  options: { reset: boolean },
): Promise<number[]> {
  const cuts: { readonly at: number; readonly accepted: number }[] = [];
  const armNext = (): void => {
    const next = bytes[cuts.length];
    if (next === undefined) return;
    link.cutAfter(next, {
      ...options,
      // The next connection cannot come before this returns, so none gets away.
      then: () => {
        cuts.push({ at: performance.now(), accepted: link.accepted });
        armNext();
      },
    });
  };
  armNext();
  const pauses: number[] = [];
  while (pauses.length < bytes.length) {
    const cut = await eventually(() => {
      const latest = cuts[pauses.length];
      if (!latest || link.accepted === latest.accepted) throw new Error('no new connection');
      return latest;
    });
    pauses.push(performance.now() - cut.at);
  }
  return pauses;
}
