export { findEtcd, type EtcdBinary, type FindEtcdOptions } from './etcd/etcd-binary.js';
export { type EtcdMemberOptions } from './etcd/etcd-member-arguments.js';
export { EtcdMember } from './etcd/etcd-member.js';
export { type EtcdTestTls, type MemberPorts } from './etcd/etcd-member-arguments.js';
export { EtcdTestCluster, type EtcdTestClusterOptions } from './etcd/etcd-test-cluster.js';
export { EtcdNotFoundError, EtcdStartError, NoLeaderError, NotSettledError } from './etcd-testing.errors.js';
export {
  FakeCluster,
  type FakeTransaction,
  type ProviderOverrides,
  type ProviderReplacement,
} from './fake/fake-cluster.js';
export type { FakePutOptions } from './fake/fake-operations.js';
export type { FakeSnapshot } from './fake/fake-store.js';
export type { FakeValue } from './fake/fake-value.js';
export {
  EtcdTriggerTestingModule,
  type EtcdTriggerTestingOptions,
  getFakeClusterToken,
} from './etcd-trigger-testing.module.js';
export { settled } from './settled.js';
export type { SettlingApplication } from './settling-application.js';
