import { checkText } from '../option-checks.js';
import {
  ConnectionClosedError,
  ConnectionTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
} from '../etcd-trigger.errors.js';
import type { ClusterObserver } from '../watch/sharing/cluster-observer.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { DeliveryFailures } from '../watch/sharing/delivery-failures.js';
import { type FollowedFeed, FollowedTarget, whenVisible } from './followed-feed.js';
import { LayeredFeed } from './layers/layered-feed.js';
import { LayerReader } from './layers/layer-reader.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { KeyRange } from '../backend/key-range.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { bootFeeds, isComplete } from './config-boot.js';
import { SuspensionMonitor } from './suspension-monitor.js';
import { FeedReports } from './feed-reports.js';
import { startupLine } from './startup-line.js';
import type { CacheUpdate } from './cache/cache-update.js';
import type { ResolvedConfigDefinition } from './definitions/resolved-definition.js';
import type { ConfigDefinitions } from './definitions/config-definitions.js';
import { JointStates } from './joint/joint-states.js';
import { PinnedReads } from './joint/pinned-reads.js';
import { Pins } from './joint/pins.js';
import { StatusListeners } from './status-listeners.js';
import { type ConfigRefused, RefusalListeners } from './changes/refusal-listeners.js';
import { ConfigListeners } from './changes/config-listeners.js';
import type { ConfigSnapshot } from './snapshot/config-snapshot.js';
import { DefinitionFeed, type FeedSink } from './cache/definition-feed.js';
import type { CacheEntry } from './cache/cache-entry.js';
import { quoted } from '../foreign/foreign-text.js';
import type { ValueType } from '../dto/value-type.js';
import { ListenerGuard } from '../watch/delivery/listener-guard.js';

/**
 * `ready`: complete and following. `stale`: complete, but interrupted, from an offline snapshot, while an update fails
 * unexpectedly, while secrets of references cannot be refreshed, or after the process was suspended, until its values
 * are compared with etcd. `degraded`: started without a required configuration or with an invalid one.
 */
export type StoreStatus = 'starting' | 'ready' | 'stale' | 'degraded' | 'closed';

export interface DefinitionFeedsOptions {
  readonly cluster: string;
  readonly definitions: ConfigDefinitions;
  readonly source: ListWatcher;
  readonly keyValue: KeyValueStore;
  readonly ranges: SharedRanges;
  readonly boot: BootPolicy;
  readonly log: InstanceLog;
  readonly observer?: ClusterObserver | undefined;
  readonly snapshot: ConfigSnapshot | undefined;
}

/** All definitions of a store, each of which follows its target. Loads them together and finds them by key. */
export class DefinitionFeeds implements FeedSink {
  readonly listeners = new ConfigListeners({
    failed: (error) => {
      this.#failures.missed(this.listeners, 'listeners of the store', error);
    },
    succeeded: () => {
      this.#failures.recovered(this.listeners, 'listeners of the store');
    },
    crowded: (count, place = 'an unknown place') => {
      this.#options.log.warn(
        `${count} subscriptions to the configuration are open, the last one by ${place}: close each, or read "value" in providers that are created for each request`,
      );
    },
  });
  readonly guard: ListenerGuard;
  readonly reports: FeedReports;
  readonly refusals: RefusalListeners;
  readonly joints: JointStates;
  readonly pins = new Pins();
  readonly pinnedReads: PinnedReads;
  readonly statusListeners: StatusListeners<StoreStatus>;
  readonly #options: DefinitionFeedsOptions;
  readonly #feeds = new Map<ResolvedConfigDefinition, DefinitionFeed>();
  readonly #interrupted = new Set<DefinitionFeed>();
  /** Entries with a value of all definitions. */
  readonly #index = new Map<string, CacheEntry<object>>();
  readonly #abort = new AbortController();
  readonly #suspension = new SuspensionMonitor({
    isCurrent: async () =>
      (await Promise.all(this.#followed.map((followed) => this.#isCurrent(followed)))).every(Boolean),
    suspended: (seconds) => {
      this.#options.log.warn(
        `the process has not run for ${seconds} s: the configuration is stale until it is compared with etcd`,
      );
      this.statusListeners.changed();
    },
    confirmed: () => {
      this.#options.log.info('the configuration is current again');
      this.statusListeners.changed();
    },
  });
  #followed: readonly FollowedFeed[] = [];
  #state: Exclude<StoreStatus, 'stale'> = 'starting';

  constructor(options: DefinitionFeedsOptions) {
    this.#options = options;
    this.joints = new JointStates(options.source);
    this.pinnedReads = new PinnedReads(this.pins, this.joints, () => this.#followed.map(({ feed }) => feed));
    const { failures } = options.ranges;
    this.reports = new FeedReports({ ...options, failures, isStarting: () => this.#state === 'starting' });
    this.guard = new ListenerGuard(options.log, options.observer);
    this.refusals = new RefusalListeners(this.guard, (prefix) => this.under(prefix).flatMap(refusedOf(prefix)));
    this.statusListeners = new StatusListeners(() => this.status, this.guard);
    failures.changed = () => {
      this.statusListeners.changed();
    };
    for (const definition of options.definitions.all) {
      this.#feeds.set(definition, this.#feedOf(definition));
    }
  }

  get definitions(): ConfigDefinitions {
    return this.#options.definitions;
  }

  get all(): readonly DefinitionFeed[] {
    return [...this.#feeds.values()];
  }

  get hasListeners(): boolean {
    return !this.listeners.isEmpty;
  }

  get status(): StoreStatus {
    const isStale =
      this.#interrupted.size > 0 ||
      this.isOffline ||
      this.#isFailing ||
      this.#hasKeptSecrets ||
      this.#suspension.isSuspected;
    return this.#state === 'ready' && isStale ? 'stale' : this.#state;
  }

  /** Definitions with asynchronous validations in progress. */
  get busy(): string[] {
    return [...this.#feeds.values()]
      .filter(({ parsing }) => parsing.isBusy)
      .map(({ subject }) => `${subject}: validating`)
      .concat(this.joints.isBusy ? ['joint state: comparing'] : []);
  }

  /**
   * Returns the current value of a key.
   * @throws InvalidOptionsError if no definition covers the key, or its definition has another class
   */
  read(key: string, type: ValueType): object | undefined {
    const pinned = this.pins.current;
    if (pinned) return pinned.viewOf(this.of(key, type)).get(key);
    const entry = this.#index.get(key);
    // Without an entry, a type that JavaScript has left out must not pass for that of the entry.
    if (entry === undefined) return this.of(key, type).cache.get(key);
    return entry.type === type ? entry.value : this.of(key, type).cache.get(key);
  }

  /** @throws InvalidOptionsError if no definition covers the key, or its definition has another class */
  of(key: string, type: ValueType): DefinitionFeed {
    return this.#feeds.get(this.definitions.of(key, type)) as DefinitionFeed;
  }

  /** Returns the feeds that may have keys under the prefix. */
  under(prefix: string): DefinitionFeed[] {
    return this.definitions.under(prefix).map((definition) => this.#feeds.get(definition) as DefinitionFeed);
  }

  /**
   * Returns the feed of a key for a request to etcd, and starts to follow all definitions.
   * @throws InvalidOptionsError if no definition covers the key
   */
  feedForRequest(operation: string, key: string): DefinitionFeed {
    checkText(`${operation}: the key`, key);
    const what = `${operation} ${quoted(key)}`;
    this.#checkOpen(what);
    const definition = this.definitions.governing(key);
    if (!definition) {
      throw new InvalidOptionsError(
        `${what}: no definition covers the key${this.definitions.layerHint(key) || '; add one to "configs" or forFeature(), or work with bytes: WatcherService.put'}`,
        { key },
      );
    }
    this.open();
    return this.#feeds.get(definition) as DefinitionFeed;
  }

  /** Returns the feeds that merge the layer. */
  withLayer(layer: string): LayeredFeed[] {
    const feeds = this.definitions.withLayer(layer).map((definition) => this.#feeds.get(definition));
    return feeds.filter((feed) => feed instanceof LayeredFeed);
  }

  /** Ranges that are being read beside their streams. */
  get reading(): { readonly name: string; readonly range: KeyRange }[] {
    return this.#followed.flatMap((followed) =>
      followed instanceof LayerReader
        ? followed.reading.map((range) => ({ name: `${followed.feed.subject}: its layers are read`, range }))
        : [],
    );
  }

  /**
   * Resolves when readers see at least the state of a linearizable read of the layers from now on.
   * @throws ConnectionTimeoutError after the limit
   */
  async refresh(feed: LayeredFeed, key: string, timeoutMs: number): Promise<void> {
    const reader = this.#followed.find((followed) => followed instanceof LayerReader && followed.feed === feed);
    if (reader instanceof LayerReader && (await reader.refresh(timeoutMs))) return;
    throw new ConnectionTimeoutError(`fresh ${quoted(key)}: its layers were not read within ${timeoutMs} ms`, { key });
  }

  /** Lists every definition; nothing is followed before `open`. */
  async load(): Promise<void> {
    this.reports.coerced(this.all);
    const { cluster, boot, log, snapshot } = this.#options;
    const startedAt = performance.now();
    const feeds = [...this.#feeds.values()];
    await Promise.all(feeds.map((feed) => this.#prepare(feed)));
    this.reports.unusedVariables(this.all);
    this.#followed = feeds.map((feed) => this.#follow(feed));
    const problems = await bootFeeds(feeds, {
      cluster,
      boot,
      follow: this.open.bind(this),
      restore: async (incomplete) => (await snapshot?.restore(incomplete, feeds)) ?? false,
      restoreKeys: async (keysOf) => snapshot?.restoreKeys(keysOf, feeds),
    });
    await this.joints.loaded(this.#followed, Math.max(1, boot.timeoutMs - (performance.now() - startedAt)));
    this.#state = problems.length > 0 ? 'degraded' : 'ready';
    this.statusListeners.changed();
    if (feeds.length > 0) log.info(startupLine(feeds, performance.now() - startedAt));
    for (const { message } of problems) log.warn(`started degraded: ${message}`);
    // A list that failed is retried after the start; an application that does not start leaves no retry behind.
    if (this.isOffline) for (const followed of this.#followed) followed.pause();
    snapshot?.startSaving(feeds);
  }

  /** True while a definition is not listed. */
  get isOffline(): boolean {
    return this.#followed.some(({ isListed }) => !isListed);
  }

  /** Starts to follow every definition from its list on. */
  open(): void {
    for (const followed of this.#followed) followed.resume();
    if (this.#followed.length > 0 && this.#state !== 'closed') this.#suspension.start();
    this.joints.opened();
  }

  /** Saves pending changes to the offline snapshot. */
  async save(): Promise<void> {
    await this.#options.snapshot?.close();
  }

  /** Stops following; the values stay readable. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#options.snapshot?.abandon();
    this.#state = 'closed';
    this.#suspension.close();
    this.#abort.abort();
    for (const followed of this.#followed) {
      followed.close();
      followed.feed.close();
    }
    this.joints.close();
    this.listeners.close();
    this.refusals.close();
    this.statusListeners.close();
  }

  /**
   * Resolves when readers see all changes up to a revision.
   * @throws ConnectionTimeoutError after the limit
   */
  async waitForRevision(revision: number, timeoutMs: number): Promise<void> {
    const what = `wait for revision ${revision}`;
    this.#checkOpen(what);
    this.open();
    const visible = await Promise.all(
      this.#followed.map((followed) => this.#whenVisible(followed, revision, timeoutMs)),
    );
    this.#checkOpen(what);
    if (visible.includes(false)) {
      throw new ConnectionTimeoutError(`${what}: not visible after ${timeoutMs} ms`, { revision });
    }
  }

  updated(feed: DefinitionFeed, update: CacheUpdate<object>): void {
    const { changes, rejected, ended, origin } = update;
    this.reports.updated(feed, update);
    if (this.#state === 'degraded' && this.#followed.every(hasRecovered)) {
      this.#state = 'ready';
      this.#options.log.info('the configuration is now complete');
    }
    this.#options.snapshot?.changed();
    this.statusListeners.changed();
    this.refusals.notify([...rejected.map(refused), ...ended]);
    this.listeners.notify(changes, feed.definition.type);
    this.joints.updated(feed, origin !== 'live');
  }

  caughtUp(feed: DefinitionFeed, isForeign: boolean): void {
    this.#options.snapshot?.replaced(feed.subject, isForeign);
  }

  /** True while an update of a definition fails unexpectedly and is retried. */
  get #isFailing(): boolean {
    return this.#followed.some(({ feed }) => this.#failures.isFailing(feed));
  }

  get #hasKeptSecrets(): boolean {
    return this.#followed.some(({ feed }) => feed.areSecretsKept);
  }

  get #failures(): DeliveryFailures {
    return this.#options.ranges.failures;
  }

  references(feed: DefinitionFeed, error: Error | undefined): void {
    this.reports.references(feed, error);
    this.statusListeners.changed();
  }

  interrupted(feed: DefinitionFeed): void {
    this.#interrupted.add(feed);
    this.statusListeners.changed();
  }

  following(feed: DefinitionFeed): void {
    this.#interrupted.delete(feed);
    this.statusListeners.changed();
  }

  #feedOf(definition: ResolvedConfigDefinition): DefinitionFeed {
    const { layers: layerKeys } = definition;
    if (layerKeys)
      return new LayeredFeed(definition, { layerKeys, sharing: this.withLayer.bind(this) }, this.#index, this);
    const governs = (key: string): boolean => this.definitions.governing(key) === definition;
    return new DefinitionFeed(definition, governs, this.#index, this);
  }

  #follow(feed: DefinitionFeed): FollowedFeed {
    const { source, ranges, keyValue, log } = this.#options;
    if (feed instanceof LayeredFeed) return new LayerReader(feed, { keyValue, ranges, log });
    const watched = ranges.acquire(KeyRange.of(feed.definition.target), { paused: true });
    const release = (): void => {
      ranges.release(watched);
    };
    return new FollowedTarget(feed, { source, watched, release });
  }

  async #prepare(feed: DefinitionFeed): Promise<void> {
    const violations = await feed.prepare();
    if (violations.length === 0) return;
    const { message } = new InvalidConfigError(`the "default" of ${feed.subject}`, violations);
    throw new InvalidOptionsError(message, { key: feed.definition.name });
  }

  #whenVisible(followed: FollowedFeed, revision: number, withinMs: number): Promise<boolean> {
    return whenVisible(followed, revision, { withinMs, signal: this.#abort.signal });
  }

  /** Compares what a definition shows with what etcd has now. */
  async #isCurrent(followed: FollowedFeed): Promise<boolean> {
    const revision = await followed.currentRevision(COMPARE_LIMIT_MS);
    return revision !== undefined && (await this.#whenVisible(followed, revision, COMPARE_LIMIT_MS));
  }

  #checkOpen(what: string): void {
    if (this.#state === 'closed') throw new ConnectionClosedError(`${what}: the module is closed`);
  }
}

/** Limit of one comparison with etcd after a suspension, in milliseconds. */
const COMPARE_LIMIT_MS = 5_000;

/** Returns the refused values of a definition under a prefix. */
const refusedOf =
  (prefix: string) =>
  ({ cache }: DefinitionFeed): ConfigRefused[] =>
    cache
      .rejectedKeys()
      .filter((key) => key.startsWith(prefix))
      .map((key) => {
        const { rejectedRevision = 0, violations = [] } = cache.entry(key);
        return refused({ key, revision: rejectedRevision, violations });
      });

const refused = ({ key, revision, violations }: Omit<ConfigRefused, 'type'>): ConfigRefused =>
  Object.freeze({ type: 'refused', key, revision, violations });

const hasRecovered = ({ feed, isListed }: FollowedFeed): boolean => isListed && isComplete(feed);
