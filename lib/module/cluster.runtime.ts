import { absentClient } from '../etcd/connection/absent-client.js';
import type { ResolvedOptions } from './etcd-trigger.options.js';
import { ConfigDefinitions } from '../store/definitions/config-definitions.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { DefinitionFeeds, type StoreStatus } from '../store/definition-feeds.js';
import { ConfigSnapshot } from '../store/snapshot/config-snapshot.js';
import { WriteSide } from '../store/writing/write-side.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { StoreService } from '../store/store.service.js';
import { ClusterTelemetry } from '../telemetry/cluster-telemetry.js';
import type { ClusterFigures } from '../telemetry/cluster-figures.js';
import { ObservedKeyValue } from '../telemetry/observed-key-value.js';
import { WatchKeyRegistry } from '../handlers/watch-key.registry.js';
import type { ClusterActivity } from '../backend/cluster-backend.js';
import { type BackendSource, type ClusterBackend, OPEN_BACKEND } from '../backend/cluster-backend.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import { InstanceLog } from '../etcd-trigger.log.js';
import { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { WatcherService } from '../watch/watcher.service.js';

/** Everything of one cluster in one application, and how it ends. */
export class ClusterRuntime {
  readonly log: InstanceLog;
  readonly watcher: WatcherService;
  /** Its `@WatchKey` methods, as soon as they are found. */
  readonly registry = new WatchKeyRegistry();
  readonly ranges: SharedRanges;
  readonly #backend: ClusterBackend;
  readonly #writes: WriteSide;
  readonly #keyValue: KeyValueStore;
  readonly #telemetry: ClusterTelemetry | undefined;
  #feeds: DefinitionFeeds | undefined;

  constructor(
    readonly name: string,
    readonly options: ResolvedOptions,
    source: BackendSource,
  ) {
    const { requestTimeoutMs, markerPrefix, watchDefaults: delivery, logger } = options;
    this.log = new InstanceLog(logger, options);
    this.#backend = source[OPEN_BACKEND]({ ...options, activity: () => this.activity });
    const { listWatcher, keyValue } = this.#backend;
    this.#telemetry = ClusterTelemetry.of(name, () => this.#figures);
    this.#keyValue = this.#telemetry ? new ObservedKeyValue(keyValue, this.#telemetry) : keyValue;
    this.ranges = new SharedRanges(listWatcher, this.log, this.#telemetry);
    this.watcher = new WatcherService(listWatcher, this.ranges, this.#keyValue, this.log, {
      requestTimeoutMs,
      delivery,
      observer: this.#telemetry,
    });
    this.#writes = new WriteSide(
      { leases: this.#backend.leases, keyValue: this.#keyValue },
      { requestTimeoutMs, markerPrefix, log: this.log },
    );
  }

  get client(): object {
    return this.#backend.client ?? absentClient();
  }

  /** The definitions of its store, once it is built. */
  get feeds(): readonly DefinitionFeed[] {
    return this.#feeds?.all ?? [];
  }

  get storeStatus(): StoreStatus {
    return this.#feeds?.status ?? 'starting';
  }

  /** What is under way, for tests that wait until nothing is. */
  get activity(): ClusterActivity {
    return {
      backend: this.#backend,
      ranges: this.ranges.all,
      busy: [...this.watcher.busy, ...(this.#feeds?.busy ?? [])],
    };
  }

  /** How handlers start: where the store has begun without etcd, they have no right to insist on it, and its limit is spent. */
  get handlersBoot(): BootPolicy {
    return this.#feeds?.isOffline ? OFFLINE : this.options.boot;
  }

  /**
   * The store with all its configurations loaded.
   * @throws BootError, InvalidOptionsError; then nothing is left open
   */
  async loadStore(configs: readonly ConfigDefinition[]): Promise<StoreService> {
    try {
      const definitions = new ConfigDefinitions(configs);
      this.#writes.checkMarkers(definitions);
      const feeds = new DefinitionFeeds({
        cluster: this.name,
        definitions,
        source: this.#backend.listWatcher,
        ranges: this.ranges,
        boot: this.options.boot,
        log: this.log,
        observer: this.#telemetry,
        snapshot: this.#snapshot(),
      });
      this.#feeds = feeds;
      await feeds.load();
      return new StoreService(feeds, this.#writes);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The application starts: configurations are followed from their lists on. */
  open(): void {
    this.#feeds?.open();
  }

  /** No handler is called any more. Those that run have `drainTimeoutMs` to finish, then a moment to follow their signals. */
  async drain(): Promise<void> {
    const { drainTimeoutMs } = this.options;
    const late = await this.watcher.drain(drainTimeoutMs);
    if (late === 0) return;
    this.log.warn(
      `${late} handlers still run after ${drainTimeoutMs} ms, and do not follow their signals; they are left behind`,
    );
  }

  /** Ends what lives as long as this process, as far as etcd answers in time, saves what changed lately, and then ends everything. */
  async shutdown(): Promise<void> {
    await Promise.all([this.#writes.end(), this.#feeds?.save()]);
    this.close();
  }

  /** Ends streams and connections; idempotent. A client that was supplied stays open. */
  close(): void {
    this.watcher.close();
    this.#writes.close();
    this.#feeds?.close();
    this.ranges.close();
    this.#telemetry?.close();
    this.#backend.close();
  }

  get #figures(): ClusterFigures {
    const now = performance.now();
    return {
      targets: this.ranges.all.flatMap(({ range, cache }) =>
        cache ? [{ target: range.toString(), confirmedAgoMs: now - cache.confirmedAt }] : [],
      ),
      handlers: this.watcher.subscriptions.map(({ name, targetName, pending, lag }) => ({
        name,
        target: targetName,
        pending,
        lag,
      })),
      definitions: this.feeds.map(({ subject, cache }) => ({ name: subject, ...cache.counts() })),
    };
  }

  #snapshot(): ConfigSnapshot | undefined {
    const { snapshot, keyPrefix, serviceName } = this.options;
    return snapshot && new ConfigSnapshot({ cluster: this.name, keyPrefix, serviceName, snapshot, log: this.log });
  }
}

const OFFLINE: BootPolicy = { policy: 'degraded', timeoutMs: 100 };
