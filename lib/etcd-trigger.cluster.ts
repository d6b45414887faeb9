import { chooseClient, type ClientChoice } from './etcd/etcd-client.js';
import { EtcdConnection } from './etcd/etcd-connection.js';
import { EtcdKeyValue } from './etcd/etcd-key-value.js';
import { EtcdListWatcher } from './etcd/etcd-list-watcher.js';
import type { ResolvedOptions } from './etcd-trigger.options.js';
import { ConfigDefinitions } from './store/config-definitions.js';
import type { ConfigDefinition } from './store/config-definition.js';
import { ConfigFeeds } from './store/config-feeds.js';
import { ConfigWriter } from './store/config-writer.js';
import { StoreService } from './store/store.service.js';
import { InstanceLog } from './watch/instance-log.js';
import { WatchedRanges } from './watch/watched-ranges.js';
import { WatcherService } from './watch/watcher.service.js';

/** Everything of one cluster in one application, and how it ends. */
export class EtcdTriggerCluster {
  readonly log: InstanceLog;
  readonly watcher: WatcherService;
  readonly #choice: ClientChoice;
  readonly #connection: EtcdConnection;
  readonly #source: EtcdListWatcher;
  readonly #keyValue: EtcdKeyValue;
  readonly #ranges: WatchedRanges;
  #feeds: ConfigFeeds | undefined;

  constructor(
    readonly name: string,
    readonly options: ResolvedOptions,
  ) {
    const { client, keyPrefix, requestTimeoutMs, logger } = options;
    this.log = new InstanceLog(logger, options);
    this.#choice = chooseClient(client);
    this.#connection = new EtcdConnection(this.#choice.options, requestTimeoutMs);
    this.#source = new EtcdListWatcher(this.#connection, keyPrefix);
    this.#keyValue = new EtcdKeyValue(this.#connection, keyPrefix);
    this.#ranges = new WatchedRanges(this.#source, this.log);
    this.watcher = new WatcherService(this.#source, this.#ranges, this.#keyValue, this.log, { requestTimeoutMs });
  }

  get client(): ClientChoice['client'] {
    return this.#choice.client;
  }

  /**
   * The store with all its configurations loaded.
   * @throws BootError, InvalidOptionsError; then nothing is left open
   */
  async loadStore(configs: readonly ConfigDefinition[]): Promise<StoreService> {
    try {
      const feeds = new ConfigFeeds({
        cluster: this.name,
        definitions: new ConfigDefinitions(configs),
        source: this.#source,
        ranges: this.#ranges,
        boot: this.options.boot,
        log: this.log,
      });
      this.#feeds = feeds;
      await feeds.load();
      return new StoreService(feeds, new ConfigWriter(this.#keyValue));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The application starts: configurations are followed from their lists on. */
  open(): void {
    this.#feeds?.open();
  }

  /** No handler is called any more; those that run have `drainTimeoutMs` to finish. */
  async drain(): Promise<void> {
    const { drainTimeoutMs } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, drainTimeoutMs, 'late');
    });
    const outcome = await Promise.race([this.watcher.drain(), limit]);
    clearTimeout(timer);
    if (outcome === 'late') this.log.warn(`handlers still run after ${drainTimeoutMs} ms; they are left behind`);
  }

  /** Ends streams and connections; idempotent. A client that was supplied stays open. */
  close(): void {
    this.#feeds?.close();
    this.#ranges.close();
    this.#connection.close();
    if (this.#choice.isOwn) this.#choice.client.close();
  }
}
