export { type ClusterHealth, EtcdTriggerHealthIndicator } from './etcd-trigger.health.js';
