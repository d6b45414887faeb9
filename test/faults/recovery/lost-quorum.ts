import { LabCluster } from '../lab/lab-cluster.js';
import { Follower } from './follower.js';
import { DEFAULT_ELECTIONS, servingMember } from './members.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

type Partition = 'cut' | 'silent';

/** The member that serves the watch is partitioned from the others. It keeps its client connections. */
export const LOST_QUORUM: readonly RecoveryScenario[] = (['silent', 'cut'] as const).map((partition) => ({
  fault: `connected member without quorum (links ${partition})`,
  measured: 'partition until following another member',
  limitMs: 5_000,
  statistic: 'max',
  rounds: 20,
  followers: 1,
  open: () => open(partition),
}));

async function open(partition: Partition): Promise<RecoveryPlace> {
  const cluster = await LabCluster.start(undefined, 'plain', DEFAULT_ELECTIONS);
  const writer = new Writer(cluster.etcd.hosts);
  return {
    async follow() {
      const follower = await Follower.start(writer, { hosts: cluster.etcd.hosts });
      return {
        round: () => round(partition, cluster, follower, writer),
        [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
      };
    },
    async [Symbol.asyncDispose]() {
      writer[Symbol.dispose]();
      await cluster.stop();
    },
  };
}

async function round(partition: Partition, cluster: LabCluster, follower: Follower, writer: Writer): Promise<number> {
  const member = await servingMember(cluster.etcd);
  using others = new Writer(cluster.etcd.members.filter((each) => each !== member).map(({ endpoint }) => endpoint));
  const time = await follower.recovery(() => {
    cluster.isolate(cluster.members.indexOf(member), partition);
  });
  await others.verifyDelivery(follower);
  cluster.rejoin();
  await cluster.etcd.leader();
  await writer.verifyDelivery(follower);
  return time;
}
