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
import { describeThrown } from '../foreign/foreign-error.js';
import { KeyRange } from '../backend/key-range.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import { withAnySignal } from '../timing/any-signal.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { bootFeeds, isComplete } from './config-boot.js';
import { startupLine } from './startup-line.js';
import type { CacheUpdate } from './cache/cache-update.js';
import type { ResolvedConfigDefinition } from './definitions/resolved-definition.js';
import type { ConfigDefinitions } from './definitions/config-definitions.js';
import { StatusListeners } from './status-listeners.js';
import { type ConfigRefused, RefusalListeners } from './changes/refusal-listeners.js';
import { ConfigListeners } from './changes/config-listeners.js';
import type { ConfigSnapshot } from './snapshot/config-snapshot.js';
import { DefinitionFeed, type FeedSink } from './cache/definition-feed.js';
import type { CacheEntry } from './cache/cache-entry.js';
import { coercedProperties } from '../dto/coerced-properties.js';
import { quoted } from '../foreign/foreign-text.js';
import type { ValueType } from '../dto/value-type.js';
import { ListenerGuard } from '../watch/delivery/listener-guard.js';

/**
 * `ready`: complete and following. `stale`: complete, but interrupted, from an offline snapshot, while an update fails
 * unexpectedly, or while secrets of references cannot be refreshed. `degraded`: started without a required configuration or with an invalid one.
 */
export type StoreStatus = 'starting' | 'ready' | 'stale' | 'degraded' | 'closed';

export interface DefinitionFeedsOptions {
  readonly cluster: string;
  readonly definitions: ConfigDefinitions;
  readonly source: ListWatcher;
  readonly ranges: SharedRanges;
  readonly boot: BootPolicy;
  readonly log: InstanceLog;
  readonly observer?: ClusterObserver | undefined;
  readonly snapshot: ConfigSnapshot | undefined;
}

interface FollowedFeed {
  readonly feed: DefinitionFeed;
  readonly watched: SharedRange;
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
  });
  readonly guard: ListenerGuard;
  readonly refusals: RefusalListeners;
  readonly statusListeners: StatusListeners<StoreStatus>;
  readonly #options: DefinitionFeedsOptions;
  readonly #feeds = new Map<ResolvedConfigDefinition, DefinitionFeed>();
  readonly #interrupted = new Set<DefinitionFeed>();
  /** Entries with a value of all definitions. */
  readonly #index = new Map<string, CacheEntry<object>>();
  readonly #abort = new AbortController();
  #followed: readonly FollowedFeed[] = [];
  #state: Exclude<StoreStatus, 'stale'> = 'starting';

  constructor(options: DefinitionFeedsOptions) {
    this.#options = options;
    this.guard = new ListenerGuard(options.log, options.observer);
    this.refusals = new RefusalListeners(this.guard, (prefix) => this.under(prefix).flatMap(refusedOf(prefix)));
    this.statusListeners = new StatusListeners(() => this.status, this.guard);
    options.ranges.failures.changed = () => {
      this.statusListeners.changed();
    };
    for (const definition of options.definitions.all) {
      const governs = (key: string): boolean => options.definitions.governing(key) === definition;
      this.#feeds.set(definition, new DefinitionFeed(definition, governs, this.#index, this));
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
    const isStale = this.#interrupted.size > 0 || this.isOffline || this.#isFailing || this.#hasKeptSecrets;
    return this.#state === 'ready' && isStale ? 'stale' : this.#state;
  }

  /** Definitions with asynchronous validations in progress. */
  get busy(): string[] {
    return [...this.#feeds.values()]
      .filter(({ isParsing }) => isParsing)
      .map(({ subject }) => `${subject}: validating`);
  }

  /**
   * Returns the current value of a key.
   * @throws InvalidOptionsError if no definition covers the key, or its definition has another class
   */
  read(key: string, type: ValueType): object | undefined {
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
    const what = `${operation} ${quoted(key)}`;
    this.#checkOpen(what);
    const definition = this.definitions.governing(key);
    if (!definition) {
      throw new InvalidOptionsError(
        `${what}: no definition covers the key; add one to "configs" or forFeature(), or work with bytes: WatcherService.put`,
        { key },
      );
    }
    this.open();
    return this.#feeds.get(definition) as DefinitionFeed;
  }

  /** Lists every definition; nothing is followed before `open`. */
  async load(): Promise<void> {
    this.#warnOfCoercion();
    const { cluster, boot, log, ranges, snapshot } = this.#options;
    const startedAt = performance.now();
    const feeds = [...this.#feeds.values()];
    await Promise.all(feeds.map((feed) => this.#prepare(feed)));
    this.#followed = feeds.map((feed) => {
      const watched = ranges.acquire(KeyRange.of(feed.definition.target), { paused: true });
      feed.registered(watched.register(feed, { initial: true }));
      return { feed, watched };
    });
    const problems = await bootFeeds(feeds, {
      cluster,
      boot,
      follow: this.open.bind(this),
      restore: async (incomplete) => (await snapshot?.restore(incomplete, feeds)) ?? false,
      restoreKeys: async (keysOf) => snapshot?.restoreKeys(keysOf, feeds),
    });
    this.#state = problems.length > 0 ? 'degraded' : 'ready';
    this.statusListeners.changed();
    if (feeds.length > 0) log.info(startupLine(feeds, performance.now() - startedAt));
    for (const { message } of problems) log.warn(`started degraded: ${message}`);
    // A list that failed is retried after the start; an application that does not start leaves no retry behind.
    if (this.isOffline) for (const { watched } of this.#followed) watched.pause();
    snapshot?.startSaving(feeds);
  }

  /** True while a definition is not listed. */
  get isOffline(): boolean {
    return this.#followed.some(({ watched }) => !watched.cache);
  }

  /** Starts to follow every definition from its list on. */
  open(): void {
    for (const { watched } of this.#followed) watched.resume();
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
    this.#abort.abort();
    for (const { feed, watched } of this.#followed) {
      feed.registration?.unregister();
      feed.close();
      this.#options.ranges.release(watched);
    }
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
    const visible = await Promise.all(this.#followed.map((followed) => this.#isVisible(followed, revision, timeoutMs)));
    this.#checkOpen(what);
    if (visible.includes(false)) {
      throw new ConnectionTimeoutError(`${what}: not visible after ${timeoutMs} ms`, { revision });
    }
  }

  updated(feed: DefinitionFeed, { changes, updates, rejected, healed, ended }: CacheUpdate<object>): void {
    const { log, observer } = this.#options;
    try {
      observer?.stored(feed.subject, { updates, rejections: rejected.length });
      this.#failures.recovered(this, 'metrics of the store');
    } catch (error) {
      this.#failures.missed(this, 'metrics of the store', error);
    }
    for (const { key, revision, violations } of rejected.slice(0, MAX_LOGGED_KEYS)) {
      const { message } = new InvalidConfigError(`${quoted(key)} at revision ${revision}`, violations);
      log.error(`${message}; ${this.#effectOf(feed, key)}`);
    }
    if (rejected.length > MAX_LOGGED_KEYS) {
      log.error(`${feed.subject}: ${rejected.length - MAX_LOGGED_KEYS} more values are not valid`);
    }
    for (const key of healed.slice(0, MAX_LOGGED_KEYS)) log.info(`${quoted(key)} is valid again`);
    if (this.#state === 'degraded' && this.#followed.every(hasRecovered)) {
      this.#state = 'ready';
      log.info('the configuration is now complete');
    }
    this.#options.snapshot?.changed();
    this.statusListeners.changed();
    this.refusals.notify([...rejected.map(refused), ...ended]);
    this.listeners.notify(changes, feed.definition.type);
  }

  #warnOfCoercion(): void {
    const coerced = new Set(this.all.flatMap(({ definition }) => coercedProperties(definition.type)));
    for (const property of coerced) {
      this.#options.log.warn(
        `${property}, which converts any value before it is validated: use a strict conversion (docs/configuration.md)`,
      );
    }
  }

  caughtUp(feed: DefinitionFeed, isForeign: boolean): void {
    this.#options.snapshot?.replaced(feed.subject, isForeign);
  }

  stripped(key: string, names: string): void {
    this.#options.log.warn(`${quoted(key)}: ignored properties that its class does not know: ${names}`);
  }

  parserFailed(key: string, error: unknown): void {
    this.#options.log.error(`${quoted(key)}: parsing failed unexpectedly: ${describeThrown(error)}`);
  }

  failed(feed: DefinitionFeed, error: unknown): void {
    this.#failures.failed(feed, feed.subject, error);
  }

  recovered(feed: DefinitionFeed): void {
    this.#failures.recovered(feed, feed.subject);
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

  unnamed({ subject }: DefinitionFeed, escapedKey: string): void {
    const { log } = this.#options;
    log.warn(`${subject}: "${escapedKey}" is not UTF-8, so it has no name: this key and others like it are left out`);
  }

  references(feed: DefinitionFeed, error: Error | undefined): void {
    const { log } = this.#options;
    if (error) {
      log.warn(`${feed.subject}: secrets cannot be refreshed; the last good ones stay: ${describeThrown(error)}`);
    } else {
      log.info(`${feed.subject}: secrets are refreshed again`);
    }
  }

  interrupted(feed: DefinitionFeed): void {
    this.#interrupted.add(feed);
    this.statusListeners.changed();
  }

  following(feed: DefinitionFeed): void {
    this.#interrupted.delete(feed);
    this.statusListeners.changed();
  }

  async #prepare(feed: DefinitionFeed): Promise<void> {
    const violations = await feed.prepare();
    if (violations.length === 0) return;
    const { message } = new InvalidConfigError(`the "default" of ${feed.subject}`, violations);
    throw new InvalidOptionsError(message, { key: feed.definition.name });
  }

  /** Compares an idle range with etcd, because its stream may report progress only after minutes. */
  async #isVisible({ feed, watched }: FollowedFeed, revision: number, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    while (feed.visibleRevision < revision) {
      const left = until - performance.now();
      if (left <= 0 || this.#abort.signal.aborted) return false;
      if (await this.#hasCaughtUp(watched, revision, left)) return feed.parsedWithin(until - performance.now());
      await feed.nextUpdate(Math.min(left, RECHECK_MS));
    }
    return true;
  }

  async #hasCaughtUp(watched: SharedRange, revision: number, withinMs: number): Promise<boolean> {
    const limit = AbortSignal.timeout(Math.ceil(withinMs));
    try {
      const current = await withAnySignal([this.#abort.signal, limit], (signal) =>
        this.#options.source.stamps(watched.range, { signal }),
      );
      return current.revision >= revision && watched.cache?.matches(current.stamps) === true;
    } catch {
      // etcd is unreachable: wait for the stream or the next comparison.
      return false;
    }
  }

  /** Describes the value that readers see instead of a rejected one. */
  #effectOf({ cache, definition }: DefinitionFeed, key: string): string {
    const { value, source } = cache.entry(key);
    if (value !== undefined && source !== 'default') return 'the last good value stays';
    const shown = value === undefined ? 'there is no good value' : 'the default applies';
    return this.#state === 'starting' && definition.onInvalid === 'skip' ? `skipped at startup: ${shown}` : shown;
  }

  #checkOpen(what: string): void {
    if (this.#state === 'closed') throw new ConnectionClosedError(`${what}: the module is closed`);
  }
}

/** Number of keys that one update of a definition logs. */
const MAX_LOGGED_KEYS = 100;

/** Interval of the comparisons with etcd while a revision is awaited, in milliseconds. */
const RECHECK_MS = 100;

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

const hasRecovered = ({ feed, watched }: FollowedFeed): boolean => watched.cache !== undefined && isComplete(feed);
