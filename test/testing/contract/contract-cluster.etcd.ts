import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { APP, startSecured } from '../../support/secured-cluster.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import type { ContractCluster } from './contract-cluster.js';

export async function etcdContractCluster(): Promise<ContractCluster> {
  const [etcd, secured] = await Promise.all([EtcdTestCluster.start(), startSecured()]);
  const direct = new Etcd3({ hosts: etcd.hosts });
  const proxy = await TcpProxy.start(etcd.first.clientPort);
  return {
    client: { hosts: proxy.endpoint },
    restrictedClient: { hosts: secured.etcd.hosts, auth: APP },
    write: async (values, lease) => {
      const operations = Object.entries(values).map(([key, value]) =>
        value === undefined
          ? direct.delete().key(key)
          : direct
              .put(key)
              .value(value)
              .lease(lease ?? 0),
      );
      const { header } = await direct
        .if('/', 'Mod', '==', 0)
        .then(...operations)
        .commit();
      return Number(header.revision);
    },
    revision: async () => Number((await direct.get('/').exec()).header.revision),
    compact: async (revision) => {
      await direct.kv.compact({ revision: String(revision), physical: true });
    },
    disconnect: () => {
      proxy.refuse();
      proxy.cut();
      proxy.thaw();
    },
    reconnect: () => proxy.accept(),
    freeze: () => {
      proxy.freeze('down');
    },
    grantLease: async (ttlSeconds) => (await direct.leaseClient.leaseGrant({ TTL: ttlSeconds })).ID,
    revokeLease: async (lease) => {
      await direct.leaseClient.leaseRevoke({ ID: lease });
    },
    shortTtlSeconds: 3,
    pass: (ms) => sleep(ms),
    now: () => Date.now(),
    wipe: () => etcd.wipe(),
    [Symbol.asyncDispose]: async () => {
      direct.close();
      proxy.stop();
      await secured[Symbol.asyncDispose]();
      await etcd.stop();
    },
  };
}
