import { fakeContractCluster } from './contract-cluster.fake.js';
import { describeContract } from './describe-contract.js';

describeContract('a fake cluster', fakeContractCluster);
