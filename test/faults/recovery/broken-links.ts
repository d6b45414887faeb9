import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { TcpProxy, type Direction } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

/** The only link is cut, and new connections are accepted immediately. */
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

const DIRECTIONS: Record<Direction | 'both', string> = {
  both: 'in both directions',
  up: 'to the member',
  down: 'from the member',
};

/** The link to one of three members becomes silent between two keepalive pings. The other links are healthy. */
export const FROZEN_LINKS: readonly RecoveryScenario[] = (['both', 'up', 'down'] as const).map((direction) => ({
  fault: `link frozen ${DIRECTIONS[direction]}`,
  measured: 'freeze until following over another link',
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

/** Starts one link per member. The fault affects the link that the watch uses. */
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
          if (!used || more.length > 0) throw new Error('the watch must use exactly one link');
          await when();
          const missed: Promise<string>[] = [];
          const time = await follower.recovery(() => {
            fault(used);
            missed.push(writer.put());
          });
          await writer.verifyDelivery(follower, ...(await Promise.all(missed)));
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
