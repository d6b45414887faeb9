import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

const CUTS = 10;
/** The missed writes form a single message. No connection lives long enough to receive all of it. */
const MISSED = { writes: 40, bytes: 300_000 };
const MAX_BYTES_PER_CONNECTION = 4_000_000;

/**
 * Each new connection is cut again after a random number of bytes: during the handshake, while the watch is created, or
 * in the middle of a large message.
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

/** Prefers small numbers, because most of what can be interrupted happens in the first bytes. */
const anyByte = (): number => 1 + Math.floor(Math.random() ** 3 * MAX_BYTES_PER_CONNECTION);

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
          await writer.verifyDelivery(follower, ...missed);
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
 * Cuts each connection after the next number of bytes. Returns the milliseconds from each cut to the next connection.
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
      // The next connection cannot be accepted before this function returns, so each one is cut.
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
