import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { ChangeListener, type ChangeOptions } from './changes/change-listener.js';
import { type ConfigChange, initialChange } from './changes/config-change.js';
import { describeTarget, type ResolvedConfigDefinition } from './definitions/config-definition.js';
import type { DefinitionFeeds } from './definition-feeds.js';
import type { ConfigSubscription } from './changes/config-listeners.js';
import { type ConfigRef, ProjectedConfig } from './changes/config-ref.js';
import { ConfigView, entriesOf, inOrder } from './changes/config-view.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import type { ReadonlySortedMap } from '../collections/sorted-map.js';
import { GuardedObservable } from '../watch/delivery/guarded-observable.js';
import { quoted } from '../foreign/foreign-text.js';

/** Implements the reads of `StoreService` beyond a single value: lists, views, references and changes. */
export class ConfigReader {
  constructor(private readonly feeds: DefinitionFeeds) {}

  keys(prefix: string): string[] {
    return inOrder(this.feeds.under(prefix).map(({ cache }) => cache.keys(prefix)));
  }

  /** @throws InvalidOptionsError if no definition of this class has keys under the prefix */
  entries<T extends object>(prefix: string, type: Type<T>): ReadonlyMap<string, T> {
    return entriesOf(prefix, this.#under(prefix, type).map(viewOf));
  }

  view(prefix: string): ConfigView {
    const viewed = this.feeds.under(prefix).map((feed) => {
      const { definition, visibleRevision } = feed;
      return { definition, target: definition.target, revision: visibleRevision, values: viewOf(feed) };
    });
    return new ConfigView(prefix, this.feeds.definitions, viewed);
  }

  /** @throws InvalidOptionsError if no definition covers the key, or its definition has another class */
  select<T extends object, R>(key: string, type: Type<T>, project: (config: T | undefined) => R): ConfigRef<R> {
    return new ProjectedConfig(this.#sourceOf(key, type), project, isDeepStrictEqual);
  }

  /** Returns the reference that `@InjectConfig` injects for a definition. */
  ref({ target, type }: Pick<ResolvedConfigDefinition, 'target' | 'type'>): ConfigRef<unknown> {
    if ('key' in target) return new ProjectedConfig(this.#sourceOf(target.key, type), (config) => config);
    const { prefix } = target;
    const feeds = this.#under(prefix, type);
    let views = feeds.map(viewOf);
    const read = (): readonly ReadonlySortedMap<object>[] => {
      if (feeds.some((feed, index) => viewOf(feed) !== views[index])) views = feeds.map(viewOf);
      return views;
    };
    const isAffectedBy = ({ key }: ConfigChange): boolean => key.startsWith(prefix);
    const { listeners, guard } = this.feeds;
    const source = { read, isAffectedBy, listeners, guard, subject: describeTarget(target) };
    return new ProjectedConfig(source, (all) => entriesOf(prefix, all));
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

  #sourceOf<T extends object>(key: string, type: Type<T>) {
    this.feeds.of(key, type);
    const { listeners, guard } = this.feeds;
    return {
      read: () => this.feeds.read(key, type) as T | undefined,
      isAffectedBy: (change: ConfigChange) => change.key === key,
      listeners,
      guard,
      subject: describeTarget({ key }),
    };
  }

  #under(prefix: string, type: Type<object>): DefinitionFeed[] {
    const feeds = this.feeds.under(prefix).filter(({ definition }) => definition.type === type);
    if (feeds.length === 0) this.feeds.definitions.ofPrefix(prefix, type);
    return feeds;
  }

  readonly #existing = (prefix: string, type: Type<object> | undefined): ConfigChange[] =>
    this.feeds
      .under(prefix)
      .filter(({ definition }) => !type || definition.type === type)
      .flatMap(({ cache }) =>
        Array.from(cache.entries(prefix), ([key, value]) => initialChange(key, value, cache.entry(key).revision)),
      );
}

const viewOf = ({ cache }: DefinitionFeed): ReadonlySortedMap<object> => cache.view();
