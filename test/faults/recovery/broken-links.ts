import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { TcpProxy, type Direction } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

/** The only link breaks, and new connections are accepted at once. */
export const CUT_LINKS: readonly RecoveryScenario[] = (['FIN', 'RST'] as const).map((kind) => ({
  fault: `connection cut with ${kind}`,
  measured: 'cut until following again',
  limitMs: 250,
  statistic: 'p99',
  rounds: 200,
  followers: 1,
  open: () =>
    openLinks(1, {
      when: () => undefined,
      fault: (link) => {
        link.cut({ reset: kind === 'RST' });
      },
    }),
}));

const WAYS: Record<Direction | 'both', string> = { both: 'both ways', up: 'to the member', down: 'from the member' };

/**
 * The link to one of three members goes silent, anywhere between two pings of the keepalive; the links to the two
 * others are well.
 */
export const FROZEN_LINKS: readonly RecoveryScenario[] = (['both', 'up', 'down'] as const).map((direction) => ({
  fault: `link frozen ${WAYS[direction]}`,
  measured: 'freeze until following by another link',
  limitMs: 15_000,
  statistic: 'max',
  rounds: 40,
  followers: 10,
  open: () =>
    openLinks(3, {
      when: () => sleep(Math.random() * 10_000),
      fault: (link) => {
        link.freeze(direction);
      },
    }),
}));

interface LinkFault {
  readonly when: () => unknown;
  readonly fault: (link: TcpProxy) => void;
}

/** As many members as links; what is done is done to the link that the watch uses. */
async function openLinks(size: number, { when, fault }: LinkFault): Promise<RecoveryPlace> {
  const cluster = await EtcdTestCluster.start({ size });
  const writer = new Writer(cluster.hosts);
  return {
    async follow() {
      const links = await Promise.all(cluster.members.map(({ clientPort }) => TcpProxy.start(clientPort)));
      const follower = await Follower.start(writer, { hosts: links.map(({ endpoint }) => endpoint) });
      return {
        async round() {
          const [used, ...more] = links.filter(({ connections }) => connections > 0);
          if (!used || more.length > 0) throw new Error('the watch is to use one link');
          await when();
          const missed: Promise<string>[] = [];
          const time = await follower.recovery(() => {
            fault(used);
            missed.push(writer.put());
          });
          await writer.prove(follower, ...(await Promise.all(missed)));
          used.thaw();
          if (links.length > 1) used.cut();
          return time;
        },
        async [Symbol.asyncDispose]() {
          await follower[Symbol.asyncDispose]();
          for (const link of links) link.stop();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      writer[Symbol.dispose]();
      await cluster.stop();
    },
  };
}
