import { checkFunction, checkText } from '../option-checks.js';
import { isDeepStrictEqual } from 'node:util';
import type { Observable } from 'rxjs';
import { ChangeListener, type ChangeOptions } from './changes/change-listener.js';
import { type ConfigChange, initialChange } from './changes/config-change.js';
import { describeTarget, type ResolvedConfigDefinition } from './definitions/resolved-definition.js';
import type { DefinitionFeeds } from './definition-feeds.js';
import type { ConfigSubscription } from './changes/config-listeners.js';
import { type ConfigRef, type RefWrites, StoreRef } from './config-ref.js';
import { ConfigView, entriesOf, inOrder } from './changes/config-view.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import type { ReadonlySortedMap } from '../collections/sorted-map.js';
import { GuardedObservable } from '../watch/delivery/guarded-observable.js';
import { freeze } from '../dto/deep-freeze.js';
import { JoinedConfig, joinIdentity, type JoinParts } from './joined-config.js';
import { quoted } from '../foreign/foreign-text.js';
import type { ValueType } from '../dto/value-type.js';

/** The configuration of an `@InjectConfig`. */
export interface RequestedConfig extends Pick<ResolvedConfigDefinition, 'target' | 'type'> {
  /** True if the keys of the map of a prefix are without the prefix. */
  readonly isRelative?: boolean;
}

/** Implements the reads of `StoreService` beyond a single value: lists, views, references and changes. */
export class ConfigReader {
  /** A join lives as long as the store, so equal ones are one. */
  readonly #joined = new Map<string, JoinedConfig>();

  constructor(private readonly feeds: DefinitionFeeds) {}

  keys(prefix: string): string[] {
    checkText('the prefix of configurations', prefix);
    const pinned = this.feeds.pins.current;
    return inOrder(
      this.feeds.under(prefix).map((feed) => (pinned ? pinned.viewOf(feed).keys(prefix) : feed.cache.keys(prefix))),
    );
  }

  /** @throws InvalidOptionsError if no definition of this class has keys under the prefix */
  entries<T extends object>(prefix: string, type: ValueType<T>): ReadonlyMap<string, T> {
    return entriesOf(prefix, this.#under(prefix, type).map(this.#viewOf));
  }

  view(prefix: string): ConfigView {
    checkText('the prefix of configurations', prefix);
    const pinned = this.feeds.pins.current;
    const viewed = this.feeds.under(prefix).map((feed) => {
      const { definition, visibleRevision } = feed;
      return {
        definition,
        target: definition.target,
        revision: pinned?.revision ?? visibleRevision,
        values: this.#viewOf(feed),
      };
    });
    return new ConfigView(prefix, this.feeds.definitions, viewed);
  }

  /** @throws InvalidOptionsError if no definition covers the key, or its definition has another class */
  select<T extends object, R>(key: string, type: ValueType<T>, project: (config: T | undefined) => R): ConfigRef<R> {
    const source = this.#sourceOf(key, type);
    checkFunction(`select ${quoted(key)}: the projection`, project);
    return new StoreRef(source, project, { isSame: isDeepStrictEqual });
  }

  /** Returns the reference that `@InjectConfig` injects for a definition. `writesOf` writes the key of a reference. */
  ref({ target, type, isRelative = false }: RequestedConfig, writesOf: (key: string) => RefWrites): ConfigRef<unknown> {
    if ('key' in target) {
      return new StoreRef(this.#sourceOf(target.key, type), (config) => config, { writes: writesOf(target.key) });
    }
    const { prefix } = target;
    const feeds = this.#under(prefix, type);
    const current = sameViews(feeds, viewOf);
    const pinned = sameViews(feeds, this.#viewOf);
    const read = (): readonly ReadonlySortedMap<object>[] => (this.feeds.pins.current ? pinned() : current());
    const isAffectedBy = ({ key }: ConfigChange): boolean => key.startsWith(prefix);
    const source = { read, isAffectedBy, ...this.#reading, subject: describeTarget(target) };
    return new StoreRef(source, (all) => {
      const entries = entriesOf(prefix, all);
      return isRelative ? withoutPrefix(prefix, entries) : entries;
    });
  }

  /** @throws InvalidOptionsError if a part is invalid, or no definition covers its key with its class */
  join(parts: JoinParts): JoinedConfig {
    const id = joinIdentity(parts);
    for (const [key, type] of Object.values(parts)) this.feeds.of(key, type);
    let joined = this.#joined.get(id);
    if (!joined) this.#joined.set(id, (joined = new JoinedConfig(this.feeds, parts)));
    return joined;
  }

  /** @throws InvalidOptionsError for an invalid option */
  onChange(
    prefix: string,
    call: (change: ConfigChange) => unknown,
    options: ChangeOptions,
    onComplete?: () => void,
  ): ConfigSubscription {
    const source = { guard: this.feeds.guard, existing: this.#existing };
    return this.feeds.listeners.add(new ChangeListener(prefix, call, options, source, onComplete));
  }

  changes$(prefix: string, options: ChangeOptions): Observable<ConfigChange> {
    const guarded = (call: () => unknown): void => {
      this.feeds.guard.call('changes$', () => `a subscriber of changes under ${quoted(prefix)} failed`, call);
    };
    return new GuardedObservable(guarded, (subscriber) => {
      const subscription = this.onChange(
        prefix,
        (change) => {
          subscriber.next(change);
        },
        options,
        () => {
          subscriber.complete();
        },
      );
      return () => {
        subscription.close();
      };
    });
  }

  #sourceOf<T extends object>(key: string, type: ValueType<T>) {
    this.feeds.of(key, type);
    return {
      read: () => this.feeds.read(key, type) as T | undefined,
      isAffectedBy: (change: ConfigChange) => change.key === key,
      ...this.#reading,
      subject: describeTarget({ key }),
    };
  }

  /** The part of the source of a reference that all references share. */
  get #reading() {
    const { listeners, guard, pins } = this.feeds;
    return {
      listeners,
      guard,
      isPinned: () => pins.current !== undefined,
      unpinned: <T>(run: () => T): T => pins.outside(run),
    };
  }

  readonly #viewOf = (feed: DefinitionFeed): ReadonlySortedMap<object> =>
    this.feeds.pins.current?.viewOf(feed) ?? viewOf(feed);

  #under(prefix: string, type: ValueType): DefinitionFeed[] {
    checkText('the prefix of configurations', prefix);
    const feeds = this.feeds.under(prefix).filter(({ definition }) => definition.type === type);
    if (feeds.length === 0) this.feeds.definitions.ofPrefix(prefix, type);
    return feeds;
  }

  readonly #existing = (prefix: string, type: ValueType | undefined): ConfigChange[] =>
    this.feeds
      .under(prefix)
      .filter(({ definition }) => !type || definition.type === type)
      .flatMap(({ cache }) =>
        Array.from(cache.entries(prefix), ([key, value]) => initialChange(key, value, cache.entry(key).revision)),
      );
}

const withoutPrefix = <T>(prefix: string, entries: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
  freeze(new Map(Array.from(entries, ([key, value]) => [key.slice(prefix.length), value])));

const viewOf = ({ cache }: DefinitionFeed): ReadonlySortedMap<object> => cache.view();

/** Returns a function that returns the same array until a view changes. */
function sameViews(
  feeds: readonly DefinitionFeed[],
  view: (feed: DefinitionFeed) => ReadonlySortedMap<object>,
): () => readonly ReadonlySortedMap<object>[] {
  let views: readonly ReadonlySortedMap<object>[] = [];
  return () => {
    if (views.length === 0 || feeds.some((feed, index) => view(feed) !== views[index])) views = feeds.map(view);
    return views;
  };
}
