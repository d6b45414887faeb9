import type { DiscoveryService } from '@nestjs/core';
import type { ClusterCronMetadata } from './decorators/cluster-cron.decorator.js';
import type { OnElectedMetadata } from './decorators/on-elected.decorator.js';
import type { OnLeadershipLostMetadata } from './decorators/on-leadership-lost.decorator.js';
import type { OnWatchErrorMetadata } from './decorators/on-watch-error.decorator.js';
import type { OnWatchResyncMetadata } from './decorators/on-watch-resync.decorator.js';
import type { WatchKeyMetadata } from './decorators/watch-key.decorator.js';

/** Nest's record of a provider or controller. */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

export type Method = (...args: unknown[]) => unknown;

/** A method that carries decorators of this library, with the provider or controller that it belongs to. */
export interface DecoratedMethod {
  readonly wrapper: ProviderWrapper;
  readonly type: abstract new (...args: never[]) => unknown;
  readonly method: string;
  readonly implementation: Method;
  /** `Class.method`, for messages. */
  readonly name: string;
  readonly watchKeys: readonly WatchKeyMetadata[];
  readonly onResyncs: readonly OnWatchResyncMetadata[];
  readonly onErrors: readonly OnWatchErrorMetadata[];
  readonly onElected: readonly OnElectedMetadata[];
  readonly onLeadershipLost: readonly OnLeadershipLostMetadata[];
  readonly clusterCrons: readonly ClusterCronMetadata[];
}
