import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import type { ContractCluster } from './contract-cluster.js';

export function fakeContractCluster(): Promise<ContractCluster> {
  const fake = new FakeCluster();
  const restricted = new FakeCluster();
  restricted.deny('/denied/');
  return Promise.resolve({
    client: fake,
    restrictedClient: restricted,
    write: (values, lease) => {
      const { revision } = fake.transaction((tx) => {
        for (const [key, value] of Object.entries(values)) {
          if (value === undefined) tx.delete(key);
          else tx.put(key, value, { lease });
        }
      });
      return revision;
    },
    revision: () => fake.revision,
    compact: (revision) => {
      fake.compact(revision);
    },
    disconnect: () => {
      fake.disconnect();
    },
    reconnect: () => {
      fake.reconnect();
    },
    freeze: () => {
      fake.freeze();
    },
    grantLease: (ttlSeconds) => fake.grantLease(ttlSeconds),
    revokeLease: (lease) => {
      fake.revokeLease(lease);
    },
    shortTtlSeconds: 2,
    pass: (ms) => {
      fake.advance(ms);
    },
    now: () => fake.now.getTime(),
    wipe: () => {
      fake.wipe();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}
