import { absentClient } from './etcd/absent-client.js';
import type { ResolvedOptions } from './etcd-trigger.options.js';
import { ConfigDefinitions } from './store/config-definitions.js';
import type { ConfigDefinition } from './store/config-definition.js';
import { ConfigFeeds } from './store/config-feeds.js';
import { ConfigWrites } from './store/config-writes.js';
import { StoreService } from './store/store.service.js';
import type { ClusterActivity } from './watch/cluster-activity.js';
import { type BackendSource, type ClusterBackend, OPEN_BACKEND } from './watch/cluster-backend.js';
import { InstanceLog } from './watch/instance-log.js';
import { WatchedRanges } from './watch/watched-ranges.js';
import { WatcherService } from './watch/watcher.service.js';

/** Everything of one cluster in one application, and how it ends. */
export class EtcdTriggerCluster {
  readonly log: InstanceLog;
  readonly watcher: WatcherService;
  readonly #backend: ClusterBackend;
  readonly #ranges: WatchedRanges;
  readonly #writes: ConfigWrites;
  #feeds: ConfigFeeds | undefined;

  constructor(
    readonly name: string,
    readonly options: ResolvedOptions,
    source: BackendSource,
  ) {
    const { requestTimeoutMs, markerPrefix, watchDefaults: delivery, logger } = options;
    this.log = new InstanceLog(logger, options);
    this.#backend = source[OPEN_BACKEND]({ ...options, activity: () => this.activity });
    const { listWatcher, keyValue } = this.#backend;
    this.#ranges = new WatchedRanges(listWatcher, this.log);
    this.watcher = new WatcherService(listWatcher, this.#ranges, keyValue, this.log, {
      requestTimeoutMs,
      delivery,
    });
    this.#writes = new ConfigWrites(this.#backend, { requestTimeoutMs, markerPrefix, log: this.log });
  }

  get client(): object {
    return this.#backend.client ?? absentClient();
  }

  /** What is under way, for tests that wait until nothing is. */
  get activity(): ClusterActivity {
    return {
      backend: this.#backend,
      ranges: this.#ranges.all,
      busy: [...this.watcher.busy, ...(this.#feeds?.busy ?? [])],
    };
  }

  /**
   * The store with all its configurations loaded.
   * @throws BootError, InvalidOptionsError; then nothing is left open
   */
  async loadStore(configs: readonly ConfigDefinition[]): Promise<StoreService> {
    try {
      const definitions = new ConfigDefinitions(configs);
      this.#writes.checkMarkers(definitions);
      const feeds = new ConfigFeeds({
        cluster: this.name,
        definitions,
        source: this.#backend.listWatcher,
        ranges: this.#ranges,
        boot: this.options.boot,
        log: this.log,
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

  /** Ends what lives as long as this process, as far as etcd answers in time, and then everything. */
  async shutdown(): Promise<void> {
    await this.#writes.end();
    this.close();
  }

  /** Ends streams and connections; idempotent. A client that was supplied stays open. */
  close(): void {
    this.watcher.close();
    this.#writes.close();
    this.#feeds?.close();
    this.#ranges.close();
    this.#backend.close();
  }
}
