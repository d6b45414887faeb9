import { etcdContractCluster } from './contract-cluster.etcd.js';
import { describeContract } from './describe-contract.js';

describeContract('real etcd', etcdContractCluster);
