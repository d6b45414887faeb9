import type { Type } from '@nestjs/common';
import {
  ConnectionClosedError,
  ConnectionTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
} from '../etcd-trigger.errors.js';
import type { ClusterObserver } from '../watch/sharing/cluster-observer.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { KeyRange } from '../backend/key-range.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { bootFeeds, isComplete } from './config-boot.js';
import type { CacheUpdate } from './cache/cache-update.js';
import type { ResolvedConfigDefinition } from './definitions/config-definition.js';
import type { ConfigDefinitions } from './definitions/config-definitions.js';
import { ConfigListeners } from './changes/config-listeners.js';
import type { ConfigSnapshot } from './snapshot/config-snapshot.js';
import { DefinitionFeed, type FeedSink } from './cache/definition-feed.js';
import type { CacheEntry } from './cache/cache-entry.js';

/** `ready`: complete and following. `stale`: complete, but interrupted, or from an offline snapshot. `degraded`: started without something that it needs. */
export type StoreStatus = 'starting' | 'ready' | 'stale' | 'degraded' | 'closed';

/** What the store is built on. */
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

/** All definitions of a store, each following its target: loaded together, found by key. */
export class DefinitionFeeds implements FeedSink {
  readonly listeners = new ConfigListeners();
  readonly #parts: DefinitionFeedsOptions;
  readonly #feeds = new Map<ResolvedConfigDefinition, DefinitionFeed>();
  readonly #interrupted = new Set<DefinitionFeed>();
  /** All values of all definitions. */
  readonly #index = new Map<string, CacheEntry<object>>();
  readonly #abort = new AbortController();
  #followed: readonly FollowedFeed[] = [];
  #state: Exclude<StoreStatus, 'stale'> = 'starting';

  constructor(parts: DefinitionFeedsOptions) {
    this.#parts = parts;
    for (const definition of parts.definitions.all) {
      const governs = (key: string): boolean => parts.definitions.governing(key) === definition;
      this.#feeds.set(definition, new DefinitionFeed(definition, governs, this.#index, this));
    }
  }

  get definitions(): ConfigDefinitions {
    return this.#parts.definitions;
  }

  get all(): readonly DefinitionFeed[] {
    return [...this.#feeds.values()];
  }

  get isHeard(): boolean {
    return !this.listeners.isEmpty;
  }

  get log(): InstanceLog {
    return this.#parts.log;
  }

  get status(): StoreStatus {
    const isStale = this.#interrupted.size > 0 || this.isOffline;
    return this.#state === 'ready' && isStale ? 'stale' : this.#state;
  }

  /** Definitions with values that are being validated. */
  get busy(): string[] {
    return [...this.#feeds.values()]
      .filter(({ isParsing }) => isParsing)
      .map(({ subject }) => `${subject}: validating`);
  }

  /**
   * What readers see under a key.
   * @throws InvalidOptionsError when no definition covers the key, or one with another class
   */
  read(key: string, type: Type<object>): object | undefined {
    const found = this.#index.get(key);
    return found?.type === type ? found.value : this.of(key, type).cache.get(key);
  }

  /** @throws InvalidOptionsError when no definition covers the key, or one with another class */
  of(key: string, type: Type<object>): DefinitionFeed {
    return this.#feeds.get(this.definitions.of(key, type)) as DefinitionFeed;
  }

  /** Those that may have keys that begin with the prefix. */
  under(prefix: string): DefinitionFeed[] {
    return this.definitions.under(prefix).map((definition) => this.#feeds.get(definition) as DefinitionFeed);
  }

  /**
   * For what goes to etcd: the definition that governs the key, followed from now on.
   * @throws InvalidOptionsError when no definition covers the key
   */
  feedForRequest(operation: string, key: string): DefinitionFeed {
    const what = `${operation} "${key}"`;
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
    const { cluster, boot, log, ranges, snapshot } = this.#parts;
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
      restore: async (left) => (await snapshot?.restore(left, feeds)) ?? false,
    });
    this.#state = problems.length > 0 ? 'degraded' : 'ready';
    for (const { message } of problems) log.warn(`started degraded: ${message}`);
    // Trying goes on when the application has started; one that never starts leaves nothing behind.
    if (this.isOffline) for (const { watched } of this.#followed) watched.pause();
    snapshot?.keep(feeds);
  }

  /** Whether something could not be listed yet. */
  get isOffline(): boolean {
    return this.#followed.some(({ watched }) => !watched.cache);
  }

  /** Lets every definition be followed, from its list on. */
  open(): void {
    for (const { watched } of this.#followed) watched.resume();
  }

  /** Writes what changed lately into the offline snapshot. */
  async save(): Promise<void> {
    await this.#parts.snapshot?.close();
  }

  /** Ends following; what is in memory stays. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#parts.snapshot?.abandon();
    this.#state = 'closed';
    this.#abort.abort();
    for (const { feed, watched } of this.#followed) {
      feed.registration?.unregister();
      feed.close();
      this.#parts.ranges.release(watched);
    }
    this.listeners.close();
  }

  /**
   * Resolves when readers see everything up to a revision.
   * @throws ConnectionTimeoutError after the limit
   */
  async waitForRevision(revision: number, timeoutMs: number): Promise<void> {
    const what = `wait for revision ${revision}`;
    this.#checkOpen(what);
    this.open();
    const seen = await Promise.all(this.#followed.map((followed) => this.#hasPassed(followed, revision, timeoutMs)));
    this.#checkOpen(what);
    if (seen.includes(false)) {
      throw new ConnectionTimeoutError(`${what}: not visible after ${timeoutMs} ms`, { revision });
    }
  }

  stepped(feed: DefinitionFeed, { changes, updates, rejected, healed }: CacheUpdate<object>): void {
    const { log, observer } = this.#parts;
    observer?.stored(feed.subject, { updates, rejections: rejected.length });
    for (const { key, revision, violations } of rejected) {
      const kept = feed.cache.get(key) === undefined ? 'there is no good value' : 'the last good value stays';
      log.error(`${new InvalidConfigError(`"${key}" at revision ${revision}`, violations).message}; ${kept}`);
    }
    for (const key of healed) log.info(`"${key}" is valid again`);
    if (this.#state === 'degraded' && this.#followed.every(hasRecovered)) {
      this.#state = 'ready';
      log.info('the configuration is complete now');
    }
    this.#parts.snapshot?.changed();
    this.listeners.notify(changes, feed.definition.type);
  }

  caughtUp(feed: DefinitionFeed, isForeign: boolean): void {
    this.#parts.snapshot?.replaced(feed.subject, isForeign);
  }

  stripped(key: string, paths: readonly string[]): void {
    this.#parts.log.warn(`"${key}": left out what its class does not know: ${paths.join(', ')}`);
  }

  interrupted(feed: DefinitionFeed): void {
    this.#interrupted.add(feed);
  }

  following(feed: DefinitionFeed): void {
    this.#interrupted.delete(feed);
  }

  async #prepare(feed: DefinitionFeed): Promise<void> {
    const violations = await feed.prepare();
    if (violations.length === 0) return;
    const { message } = new InvalidConfigError(`the "default" of ${feed.subject}`, violations);
    throw new InvalidOptionsError(message, { key: feed.definition.name });
  }

  /** A quiet range is proven by comparing: its stream may not say for minutes that nothing happened. */
  async #hasPassed({ feed, watched }: FollowedFeed, revision: number, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    while (feed.visibleRevision < revision) {
      const left = until - performance.now();
      if (left <= 0 || this.#abort.signal.aborted) return false;
      if (await this.#hasCaughtUp(watched, revision, left)) return feed.parsedWithin(until - performance.now());
      await feed.moved(Math.min(left, RECHECK_MS));
    }
    return true;
  }

  async #hasCaughtUp(watched: SharedRange, revision: number, withinMs: number): Promise<boolean> {
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(Math.ceil(withinMs))]);
    try {
      const held = await this.#parts.source.stamps(watched.range, { signal });
      return held.revision >= revision && watched.cache?.matches(held.stamps) === true;
    } catch {
      // Unreachable for now: the stream, or the next comparison, will tell.
      return false;
    }
  }

  #checkOpen(what: string): void {
    if (this.#state === 'closed') throw new ConnectionClosedError(`${what}: the module is closed`);
  }
}

/** Time between comparisons while a revision is awaited. */
const RECHECK_MS = 100;

const hasRecovered = ({ feed, watched }: FollowedFeed): boolean => watched.cache !== undefined && isComplete(feed);
