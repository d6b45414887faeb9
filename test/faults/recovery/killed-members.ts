import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';
import { Follower } from './follower.js';
import { DEFAULT_ELECTIONS, lead, servingMember } from './members.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

type Role = 'leader' | 'follower';

/** The member that serves the watch is killed, as the leader or as a follower. The other two keep running. */
export const KILLED_MEMBERS: readonly RecoveryScenario[] = (['leader', 'follower'] as const).map((role) => ({
  fault: `connected member killed, the ${role === 'leader' ? 'leader' : 'leader is another'}`,
  measured: 'kill -9 until following again',
  limitMs: 250,
  statistic: 'p99',
  rounds: 100,
  followers: 1,
  open: () => open(role),
}));

async function open(role: Role): Promise<RecoveryPlace> {
  const cluster = await EtcdTestCluster.start({ size: 3, args: DEFAULT_ELECTIONS });
  const writer = new Writer(cluster.hosts);
  return {
    async follow() {
      const follower = await Follower.start(writer, { hosts: cluster.hosts });
      return {
        round: () => round(role, cluster, follower, writer),
        [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
      };
    },
    async [Symbol.asyncDispose]() {
      writer[Symbol.dispose]();
      await cluster.stop();
    },
  };
}

async function round(role: Role, cluster: EtcdTestCluster, follower: Follower, writer: Writer): Promise<number> {
  const member = await servingMember(cluster);
  const other = cluster.members.find((each) => each !== member) ?? member;
  await lead(cluster, role === 'leader' ? member : other);
  const time = await follower.recovery(() => member.kill());
  await writer.verifyDelivery(follower);
  // Another process may be using its ports for a connection; then the start is repeated.
  await eventually(() => member.start());
  return time;
}
