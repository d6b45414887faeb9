export type { CodecChoice, ConfigCodec } from './dto/document-format.js';

export {
  type ClusterDescription,
  type DefinitionDescription,
  type EtcdTriggerDescription,
  EtcdTriggerInspector,
  type HandlerDescription,
  type KeyDescription,
  type StoreDescription,
  type TargetDescription,
} from './etcd-trigger.inspector.js';
export { EtcdTriggerModule } from './etcd-trigger.module.js';
export { getConfigToken, InjectConfig } from './etcd-trigger.config-token.js';
export type { StaticOptions } from './etcd-trigger.module-definition.js';
export type { EtcdTriggerOptions, EtcdTriggerOptionsFactory, HandlersOptions } from './etcd-trigger.options.js';
export {
  getEtcdClientToken,
  getStoreToken,
  getWatcherToken,
  getWatchKeyRegistryToken,
  InjectEtcdClient,
  InjectStore,
  InjectWatcher,
  InjectWatchKeyRegistry,
} from './etcd-trigger.tokens.js';

export { EtcdTriggerContext } from './handlers/etcd-trigger.context.js';
export type { KeyParameters } from './handlers/key-pattern.js';
export { OnWatchError } from './handlers/on-watch-error.decorator.js';
export { OnWatchResync } from './handlers/on-watch-resync.decorator.js';
export {
  Event,
  Key,
  KeyParam,
  type ParameterPipe,
  Payload,
  Previous,
  Signal,
} from './handlers/parameters.decorator.js';
export { WatchKey, type WatchKeyOptions } from './handlers/watch-key.decorator.js';
export { type WatchKeyHandler, WatchKeyRegistry } from './handlers/watch-key.registry.js';

export type { BootPolicy } from './watch/boot-policy.js';
export type { DeliveryContext } from './watch/delivery-context.js';
export type { DeliveryOptions, RetryOptions } from './watch/delivery-options.js';
export type { WatchFailure } from './watch/listener-failure.js';
export { WatcherService } from './watch/watcher.service.js';
export type { KeyValue, ResyncNotice, WatchBatch, WatchEvent, WatchOrigin, WatchTarget } from './watch/watch-event.js';
export type { ObserveOptions, WatchOptions, WatchSubscription } from './watch/watch-options.js';
export type { StreamState } from './watch/range-listener.js';

export type { ChangeOptions } from './store/change-listener.js';
export type { ConfigEntry } from './store/held-config.js';
export type { ConfigChange, ConfigDelete, ConfigPut } from './store/config-change.js';
export type { ConfigDefinition } from './store/config-definition.js';
export type { StoreStatus } from './store/config-feeds.js';
export type { ConfigRevision, HistoryOptions } from './store/config-history.js';
export type { LeaseOptions } from './store/config-leases.js';
export type { SnapshotOptions } from './store/config-snapshot.js';
export type { ConfigSubscription } from './store/config-listeners.js';
export type { ConfigRef } from './store/config-ref.js';
export type { ConfigTransaction } from './store/config-transaction.js';
export type { ConfigUpdate } from './store/config-updater.js';
export type { ConfigView, ConfigViewPart } from './store/config-view.js';
export type { DeleteOptions, PutOptions, WriteResult } from './store/config-writer.js';
export { StoreService } from './store/store.service.js';

export {
  AuthenticationError,
  BootError,
  type BootProblem,
  ConfigNotFoundError,
  type ConfigViolation,
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  type ErrorDetails,
  EtcdTriggerError,
  HandlerTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
  KeyNotFoundError,
  PermissionDeniedError,
  RevisionConflictError,
  RevisionUnavailableError,
  UnknownOutcomeError,
  WatchError,
  WriteError,
} from './etcd-trigger.errors.js';
