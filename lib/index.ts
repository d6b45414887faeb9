export type { CodecChoice, ConfigCodec } from './dto/formats/document-format.js';

export {
  type ClusterDescription,
  type CronDescription,
  type DefinitionDescription,
  type EtcdTriggerDescription,
  EtcdTriggerInspector,
  type HandlerDescription,
  type KeyDescription,
  type StoreDescription,
  type TargetDescription,
} from './module/etcd-trigger.inspector.js';
export type { DefinitionSchema } from './module/definition-schema.js';
export type { EffectiveConfig } from './module/effective-config.js';
export type {
  ClaimDescription,
  CoordinationDescription,
  ElectionDescription,
  FollowedServiceDescription,
  LeaseDescription,
  LockDescription,
  RegistrationDescription,
} from './module/coordination.description.js';
export type { EtcdClientOptions, EtcdCredentials, EtcdUser } from './etcd/connection/etcd-client.js';
export { type EnvOverride, fromEnv, type FromEnvOptions } from './dto/env/env-override.js';
export type { ReferenceOptions } from './dto/references/reference-options.js';
export { Secret } from './dto/secrets/secret.decorator.js';
export type { DocumentLimits } from './dto/document-limits.js';
export type {
  SchemaInput,
  SchemaOutput,
  StandardSchema,
  StandardSchemaIssue,
  StandardSchemaProperties,
  StandardSchemaResult,
} from './dto/standard-schema.js';
export type { ValueType } from './dto/value-type.js';
export type { OptionalProperties } from './option-checks.js';
export type { TransactionLimits } from './backend/transaction-limits.js';
export { EtcdTriggerModule, type WithDefinitions } from './module/etcd-trigger.module.js';
export { loadConfig, type LoadConfigOptions } from './module/load-config.js';
export { getElectionToken, InjectElection } from './module/inject-election.decorator.js';
export type { KeptReason, Live, LiveDescription } from './live/live.js';
export {
  type InjectedBy,
  type LiveConfig,
  type LiveContext,
  type LiveDependency,
  liveProvider,
  type LiveProviderOptions,
} from './module/live.provider.js';
export { getConfigToken, InjectConfig, type UnderPrefix } from './module/inject-config.decorator.js';
export type { StaticOptions } from './module/etcd-trigger.module-definition.js';
export type {
  EtcdTriggerLimits,
  EtcdTriggerOptions,
  EtcdTriggerOptionsFactory,
  HandlersOptions,
} from './module/etcd-trigger.options.js';
export {
  getEtcdClientToken,
  getGroupRegistryToken,
  getLocksToken,
  getServicesToken,
  getStoreToken,
  getWatcherToken,
  getWatchKeyRegistryToken,
  InjectEtcdClient,
  InjectGroupRegistry,
  InjectLocks,
  InjectServices,
  InjectStore,
  InjectWatcher,
  InjectWatchKeyRegistry,
} from './module/etcd-trigger.tokens.js';

export type { Fence } from './backend/fence.js';
export type { ClaimKind } from './coordination/claim-keeper.js';
export type { LeaseState } from './coordination/lease-keeper.js';
export type { Election, ElectionLeader, ElectionState } from './coordination/election.js';
export type { ClusterLock, LockOptions } from './coordination/cluster-lock.js';
export { ClusterLocks } from './coordination/cluster-locks.js';
export type { GroupCheckpointOptions, GroupOptions } from './coordination/groups/group-options.js';
export type { GroupDescription, PartitionDescription } from './coordination/groups/group-description.js';
export { GroupRegistry } from './coordination/groups/group-registry.js';
export type { ParkedEvent } from './coordination/groups/parked-event.js';
export { ClusterServices } from './coordination/cluster-services.js';
export type { ServiceList, ServiceRegistration } from './coordination/service-list.js';
export type { ClusterCronOptions, ClusterCronTick } from './coordination/cron-tick.js';
export type { CoordinationOptions } from './coordination/coordination-options.js';

export { EtcdTriggerContext } from './handlers/etcd-trigger.context.js';
export type { KeyParameters } from './handlers/key-pattern.js';
export { ClusterCron } from './handlers/decorators/cluster-cron.decorator.js';
export { OnElected } from './handlers/decorators/on-elected.decorator.js';
export { OnLeadershipLost } from './handlers/decorators/on-leadership-lost.decorator.js';
export { OnWatchError } from './handlers/decorators/on-watch-error.decorator.js';
export { OnWatchResync } from './handlers/decorators/on-watch-resync.decorator.js';
export {
  Delivery,
  Event,
  Fenced,
  Key,
  KeyParam,
  type ParameterPipe,
  Payload,
  Previous,
  Signal,
} from './handlers/decorators/parameters.decorator.js';
export type { FirstParameter, HandlerDecorator } from './handlers/decorators/handler-decorator.js';
export {
  type TypedWatchKeyOptions,
  WatchKey,
  type WatchKeyOptions,
} from './handlers/decorators/watch-key.decorator.js';
export type { WatchKeyHandler } from './handlers/watch-key.handler.js';
export { WatchKeyRegistry } from './handlers/watch-key.registry.js';

export type { BootPolicy } from './watch/sharing/boot-policy.js';
export type { DeliveryContext } from './watch/watch-event.js';
export type { DeliveryOptions, RetryOptions } from './watch/delivery/delivery-options.js';
export type { WatchFailure } from './watch/watch-event.js';
export type { RawDeleteOptions, RawPutOptions } from './watch/raw-keys.js';
export { WatcherService } from './watch/watcher.service.js';
export type { WatchTarget } from './backend/key-range.js';
export type { KeyValue, ResyncNotice, WatchBatch, WatchEvent, WatchOrigin } from './watch/watch-event.js';
export type { ObserveOptions, WatchOptions, WatchSubscription } from './watch/delivery/watch-options.js';
export type { StreamState } from './watch/sharing/range-listener.js';

export type { ChangeOptions } from './store/changes/change-listener.js';
export type { ConfigEntry, ConfigLayer } from './store/cache/cache-entry.js';
export type { ConfigChange, ConfigDelete, ConfigPut } from './store/changes/config-change.js';
export type {
  CheckedDefinition,
  CheckedDefinitions,
  ClassDefinition,
  ConfigDefinition,
  ConfigOverride,
  DefinitionOptions,
  GivenValueType,
  InputOf,
  KeyDefinition,
  PrefixDefinition,
  SchemaDefinition,
} from './store/definitions/config-definition.js';
export type { AuditOptions } from './store/audit/audit-options.js';
export type { AuditQuery } from './store/audit/audit-reader.js';
export type { AuditAction, AuditRecord } from './store/audit/audit-record.js';
export type { WriteNote } from './store/audit/write-note.js';
export type { StoreStatus } from './store/definition-feeds.js';
export type { ConfigRevision, HistoryOptions, RollbackOptions } from './store/writing/config-history.js';
export type { LeaseOptions } from './store/writing/config-leases.js';
export type { SnapshotOptions } from './store/snapshot/config-snapshot.js';
export type { ConfigHealed, ConfigRefusal, ConfigRefused } from './store/changes/refusal-listeners.js';
export type { ConfigSubscription } from './store/changes/config-listeners.js';
export type { LiveValue } from './store/changes/projected-config.js';
export type { Joined, JoinedValue, JoinParts } from './store/joined-config.js';
export type { ConfigRef, WritableValue } from './store/config-ref.js';
export type { ConfigTransaction, TransactionPutOptions, ValueOnly } from './config-transaction.js';
export type { ConfigUpdate, UpdateOptions } from './store/writing/config-updater.js';
export type { ConfigView, ConfigViewPart } from './store/changes/config-view.js';
export type { WriteResult } from './store/writing/config-writer.js';
export type { TransactionOptions } from './store/writing/planned-transaction.js';
export type { DeleteOptions, PutOptions } from './store/writing/write-options.js';
export { StoreService } from './store/store.service.js';

export {
  AuthenticationError,
  BootError,
  type BootProblem,
  ConfigNotFoundError,
  type ConfigOrigin,
  type ConfigViolation,
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  type ErrorDetails,
  EtcdTriggerError,
  FenceLostError,
  GroupBusyError,
  HandlerTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
  KeyNotFoundError,
  LockLostError,
  LockTimeoutError,
  PermissionDeniedError,
  RevisionConflictError,
  RevisionUnavailableError,
  UnknownOutcomeError,
  WatchError,
  WriteError,
} from './etcd-trigger.errors.js';
