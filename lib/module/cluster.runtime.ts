import {
  type BackendSource,
  type ClusterActivity,
  type ClusterBackend,
  OPEN_BACKEND,
} from '../backend/cluster-backend.js';
import { counted } from '../counted.js';
import type { KeyRange } from '../backend/key-range.js';
import { rawKeyOf } from '../backend/key-record.js';
import { RunningWrites } from '../backend/running-writes.js';
import { hasSecrets } from '../dto/class-metadata.js';
import type { GroupEffects, GroupHandler } from '../coordination/groups/group-handler.js';
import { FenceRegistry } from '../backend/fence.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { absentClient } from '../etcd/connection/absent-client.js';
import { Coordination } from '../coordination/coordination.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { InstanceLog } from '../etcd-trigger.log.js';
import { LiveResources } from '../live/live-resources.js';
import { WatchKeyRegistry } from '../handlers/watch-key.registry.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { DefinitionFeeds, type StoreStatus } from '../store/definition-feeds.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { ConfigDefinitions } from '../store/definitions/config-definitions.js';
import { ConfigSnapshot } from '../store/snapshot/config-snapshot.js';
import type { PinnedReads } from '../store/joint/pinned-reads.js';
import { StoreService } from '../store/store.service.js';
import type { PreparedWrite } from '../store/writing/config-writer.js';
import type { RawWriter } from '../store/writing/raw-writer.js';
import { type WriteBackend, WriteSide } from '../store/writing/write-side.js';
import type { ClusterGaugeValues } from '../telemetry/cluster-gauges.js';
import { ClusterTelemetry } from '../telemetry/cluster-telemetry.js';
import { ObservedKeyValue } from '../telemetry/observed-key-value.js';
import { targetNamesOf } from '../telemetry/target-names.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { WatcherService } from '../watch/watcher.service.js';
import type { ResolvedOptions } from './etcd-trigger.options.js';
import { checkReserved } from './reserved-prefixes.js';

/** Owns the backend, watcher, store and telemetry of one cluster, and closes them. */
export class ClusterRuntime {
  /** Returns the decorated methods, until the application is initialized. */
  unattached: () => readonly string[] = () => [];
  readonly log: InstanceLog;
  readonly watcher: WatcherService;
  /** Filled with the `@WatchKey` methods at bootstrap. */
  readonly registry = new WatchKeyRegistry();
  readonly ranges: SharedRanges;
  /** `undefined` without the option `coordination`. */
  readonly coordination: Coordination | undefined;
  readonly live: LiveResources;
  readonly #backend: ClusterBackend;
  readonly #writes: WriteSide;
  readonly #keyValue: RunningWrites;
  readonly #telemetry: ClusterTelemetry | undefined;
  #feeds: DefinitionFeeds | undefined;
  #definitions: ConfigDefinitions | undefined;
  #store: StoreService | undefined;

  constructor(
    readonly name: string,
    readonly options: ResolvedOptions,
    source: BackendSource,
  ) {
    const { requestTimeoutMs, markerPrefix, watchDefaults: delivery, logger } = options;
    this.log = new InstanceLog(logger, options);
    this.#backend = source[OPEN_BACKEND]({ ...options, log: this.log, activity: () => this.activity });
    const { listWatcher, keyValue } = this.#backend;
    this.#telemetry = ClusterTelemetry.of(name, targetNamesOf(options.coordination?.prefix), () => this.#gaugeValues);
    const observed = this.#telemetry ? new ObservedKeyValue(keyValue, this.#telemetry) : keyValue;
    this.#keyValue = new RunningWrites(observed);
    this.ranges = new SharedRanges(listWatcher, this.log, this.#telemetry, options.keyPrefix);
    this.live = new LiveResources(this.log, this.#telemetry);
    const fences = new FenceRegistry();
    this.watcher = new WatcherService(listWatcher, this.ranges, this.#keyValue, this.log, {
      requestTimeoutMs,
      delivery,
      observer: this.#telemetry,
      fences,
    });
    this.coordination =
      options.coordination &&
      new Coordination(options.coordination, {
        ...options,
        backend: this.#backend,
        keyValue: observed,
        ranges: this.ranges,
        fences,
        log: this.log,
        observer: this.#telemetry?.coordination,
      });
    this.#writes = new WriteSide(writeBackend(this.#backend, this.#keyValue), fences, {
      requestTimeoutMs,
      markerPrefix,
      audit: options.audit,
      transactionOperations: options.limits.transactionOperations,
      instance: { serviceName: options.serviceName, podName: options.podName },
      log: this.log,
    });
  }

  /** The client that applications inject. */
  client(): object | Promise<object> {
    return this.#backend.client?.() ?? absentClient();
  }

  /** `undefined` until the store is loaded. */
  get pinnedReads(): PinnedReads | undefined {
    return this.#feeds?.pinnedReads;
  }

  /** `undefined` until the store is loaded. */
  get store(): StoreService | undefined {
    return this.#store;
  }

  /** The definitions with their listeners; `undefined` until the store is loaded. */
  get definitionFeeds(): DefinitionFeeds | undefined {
    return this.#feeds;
  }

  /** Reads and writes bytes in etcd. */
  get keyValue(): KeyValueStore {
    return this.#keyValue;
  }

  /** Writes bytes without a validation, with a record of the audit trail. */
  get rawWriter(): RawWriter {
    return this.#writes.raw;
  }

  /** Empty until the store is loaded. */
  get feeds(): readonly DefinitionFeed[] {
    return this.#feeds?.all ?? [];
  }

  get storeStatus(): StoreStatus {
    return this.#feeds?.status ?? 'starting';
  }

  /** The work in progress, for tests that wait until the cluster is idle. */
  get activity(): ClusterActivity {
    const crons = this.coordination?.crons ?? [];
    const groups = this.coordination?.groups.all ?? [];
    return {
      backend: this.#backend,
      ranges: this.ranges.all,
      busy: [
        ...this.watcher.busy,
        ...(this.#feeds?.busy ?? []),
        ...groups.flatMap(({ busy }) => busy),
        ...this.live.busy,
        ...crons.filter(({ status }) => status.running).map(({ method }) => `${method}: a tick`),
      ],
      unattached: this.unattached(),
      due: [
        ...crons.filter(({ isDue }) => isDue).map(({ method, range }) => ({ name: `${method}: due`, range })),
        ...groups
          .filter(({ isDue }) => isDue)
          .map(({ handler, ownersRange: range }) => ({ name: `${handler.name}: due`, range })),
        ...(this.#feeds?.reading ?? []),
      ],
      candidates: this.coordination?.elections ?? [],
    };
  }

  /**
   * The boot policy of handlers. If the store started from a snapshot without etcd, handlers must not fail the boot,
   * and the boot timeout is already spent.
   */
  get handlersBoot(): BootPolicy {
    return this.#feeds?.isOffline ? OFFLINE_BOOT : this.options.boot;
  }

  /**
   * Resolves when all configurations are loaded. Closes everything if that fails.
   * @throws BootError, InvalidOptionsError
   */
  async loadStore(configs: readonly ConfigDefinition[]): Promise<StoreService> {
    try {
      const definitions = new ConfigDefinitions(configs, this.options.limits);
      this.#writes.checkMarkers(definitions);
      checkReserved(definitions, this.options);
      this.#definitions = definitions;
      const feeds = new DefinitionFeeds({
        cluster: this.name,
        definitions,
        source: this.#backend.listWatcher,
        keyValue: this.#backend.keyValue,
        ranges: this.ranges,
        boot: this.options.boot,
        log: this.log,
        observer: this.#telemetry,
        snapshot: this.#snapshot(),
      });
      this.#feeds = feeds;
      await feeds.load();
      if (this.options.pinRequests) feeds.pinnedReads.prepare();
      return (this.#store = new StoreService(feeds, this.#writes));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Plans the writes of a `commit()` in a handler group. */
  async planEffects(
    ...given: [...Parameters<GroupHandler['planEffects']>, group: string]
  ): ReturnType<GroupHandler['planEffects']> {
    const [what] = given;
    if (!this.#store) throw new InvalidOptionsError(`${what}: the store is not loaded`);
    return groupEffects(await this.#store.planEffects(...given));
  }

  /** True if the range contains keys of a definition with secrets, or may contain them. */
  isSecret({ kind, rawKey }: KeyRange): boolean {
    const isCovered = (target: string, isPrefix: boolean): boolean =>
      (kind === 'prefix' && target.startsWith(rawKey)) || (isPrefix ? rawKey.startsWith(target) : rawKey === target);
    return (this.#definitions?.all ?? []).some(
      ({ secret, type, target, layers = [] }) =>
        (secret || hasSecrets(type)) &&
        ('key' in target
          ? [target.key, ...layers].some((key) => isCovered(rawKeyOf(key), false))
          : isCovered(rawKeyOf(target.prefix), true)),
    );
  }

  /** Starts watching the configurations from the revisions of their initial lists. */
  open(): void {
    this.#feeds?.open();
  }

  /**
   * Starts no further handler call. Running calls have `drainTimeoutMs` to finish; then their signals abort, and they
   * have a short grace period to end. Meanwhile this instance gives up what it owns.
   */
  async drain(): Promise<void> {
    const { drainTimeoutMs } = this.options;
    this.live.stop();
    const [running] = await Promise.all([this.watcher.drain(drainTimeoutMs), this.coordination?.drain(drainTimeoutMs)]);
    if (running === 0) return;
    this.log.warn(
      `the shutdown does not wait for ${counted(running, 'handler')}: still running after the drain limit of ${drainTimeoutMs} ms, in spite of the abort signal`,
    );
  }

  /**
   * Disposes the live resources and waits for the answers to running writes. Revokes the leases of this process, if etcd
   * answers in time, and saves unsaved changes to the snapshot. Then closes everything.
   */
  async shutdown(): Promise<void> {
    await this.live.close();
    await this.#keyValue.end(ANSWER_LIMIT_MS);
    await Promise.all([this.#writes.end(), this.#feeds?.save()]);
    this.close();
  }

  /** Closes streams and connections. Idempotent. A client supplied by the application stays open. */
  close(): void {
    this.watcher.close();
    this.coordination?.close();
    this.#writes.close();
    this.#feeds?.close();
    this.ranges.close();
    this.#telemetry?.close();
    this.#backend.close();
  }

  get #gaugeValues(): ClusterGaugeValues {
    const now = performance.now();
    return {
      targets: this.ranges.all.flatMap(({ range, cache }) =>
        cache ? [{ range, confirmedAgoMs: now - cache.confirmedAt }] : [],
      ),
      handlers: this.watcher.subscriptions.map(({ name, targetName, pending, lag }) => ({
        name,
        target: targetName,
        pending,
        lag,
      })),
      definitions: this.feeds.map(({ subject, cache }) => ({ name: subject, ...cache.counts() })),
      groups: (this.coordination?.groups.all ?? []).map(({ name, owned }) => ({
        name,
        partitions: owned.length,
        lag: Math.max(0, ...owned.map(({ receiver }) => receiver.lag)),
        ageMs: Math.max(0, ...owned.map(({ cursor }) => cursor.progress.ageMs)),
      })),
      claims: this.coordination?.claims,
    };
  }

  #snapshot(): ConfigSnapshot | undefined {
    const { snapshot, keyPrefix, serviceName } = this.options;
    return snapshot && new ConfigSnapshot({ cluster: this.name, keyPrefix, serviceName, snapshot, log: this.log });
  }
}

const writeBackend = ({ leases, listWatcher, wallClock }: ClusterBackend, keyValue: KeyValueStore): WriteBackend => ({
  leases,
  listWatcher,
  keyValue,
  ...(wallClock && { wallClock }),
});

const groupEffects = ({ conditions, operations, outcome, renewed }: PreparedWrite): GroupEffects => ({
  conditions,
  operations,
  outcome: async (result) => {
    const attempt = await outcome(result);
    if (!attempt.applied) throw attempt.conflict;
  },
  renewed: async (error) => groupEffects(await renewed(error)),
});

/** Time that etcd has to answer running writes at the end, in milliseconds. After that their outcomes are unknown. */
const ANSWER_LIMIT_MS = 2_000;

const OFFLINE_BOOT: BootPolicy = { policy: 'degraded', timeoutMs: 100 };
