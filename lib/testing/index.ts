export { findEtcd, type EtcdBinary, type FindEtcdOptions } from './etcd-binary.js';
export { EtcdMember, type EtcdMemberOptions } from './etcd-member.js';
export { type EtcdTestTls, type MemberPorts } from './etcd-member-arguments.js';
export { EtcdTestCluster, type EtcdTestClusterOptions } from './etcd-test-cluster.js';
export { EtcdNotFoundError, EtcdStartError, NoLeaderError, NotSettledError } from './etcd-testing.errors.js';
export {
  FakeCluster,
  type FakePutOptions,
  type FakeTransaction,
  type ProviderOverrides,
  type ProviderReplacement,
} from './fake-cluster.js';
export type { FakeSnapshot } from './fake-store.js';
export type { FakeValue } from './fake-value.js';
export {
  EtcdTriggerTestingModule,
  type EtcdTriggerTestingOptions,
  getFakeClusterToken,
} from './etcd-trigger-testing.module.js';
export { settled, type SettlingApplication } from './settled.js';
