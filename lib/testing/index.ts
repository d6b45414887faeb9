export { findEtcd, type EtcdBinary, type FindEtcdOptions } from './etcd-binary.js';
export { EtcdMember, type EtcdMemberOptions } from './etcd-member.js';
export { type EtcdTestTls, type MemberPorts } from './etcd-member-arguments.js';
export { EtcdTestCluster, type EtcdTestClusterOptions } from './etcd-test-cluster.js';
export { EtcdNotFoundError, EtcdStartError, NoLeaderError } from './etcd-testing.errors.js';
