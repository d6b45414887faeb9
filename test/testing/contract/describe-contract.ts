import { afterAll, beforeAll, describe } from 'vitest';
import { auditContract } from './audit.contract.js';
import type { ContractCluster } from './contract-cluster.js';
import { coordinationContract } from './coordination.contract.js';
import { cronContract } from './cron.contract.js';
import { groupsContract } from './groups.contract.js';
import { handlersContract } from './handlers.contract.js';
import { keyValueContract } from './key-value.contract.js';
import { layersContract } from './layers.contract.js';
import { leasesContract } from './leases.contract.js';
import { listWatcherContract } from './list-watcher.contract.js';
import { locksContract } from './locks.contract.js';
import { servicesContract } from './services.contract.js';
import { storeContract } from './store.contract.js';
import { watcherContract } from './watcher.contract.js';

/** Tests of etcd's behaviour as users of this library see it. The fake and real etcd must pass the same tests. */
export function describeContract(name: string, start: () => Promise<ContractCluster>): void {
  describe(`the contract of etcd, kept by ${name}`, () => {
    let cluster: ContractCluster;

    beforeAll(async () => {
      cluster = await start();
    });
    afterAll(() => cluster[Symbol.asyncDispose]());

    const current = (): ContractCluster => cluster;
    keyValueContract(current);
    leasesContract(current);
    listWatcherContract(current);
    watcherContract(current);
    storeContract(current);
    layersContract(current);
    auditContract(current);
    handlersContract(current);
    coordinationContract(current);
    locksContract(current);
    servicesContract(current);
    cronContract(current);
    groupsContract(current);
  });
}
