import type { Type } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { ConfigNotFoundError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';
import type { SchemaOutput, StandardSchema } from '../dto/standard-schema.js';
import type { ValueType } from '../dto/value-type.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import type { ConfigSubscription } from './changes/config-listeners.js';
import { ValueListeners } from './changes/value-listeners.js';
import type { ConfigRef } from './config-ref.js';
import type { DefinitionFeeds } from './definition-feeds.js';
import type { FollowedJoint } from './joint/joint-states.js';
import type { PinnedState } from './joint/pins.js';

/** The parts of `StoreService.join`: a key and its class or schema, by a name of your choice. */
export type JoinParts = Readonly<Record<string, readonly [key: string, type: ValueType]>>;

/** The value of a join: the configurations by name, `undefined` where there is none. */
export type Joined<Parts extends JoinParts> = {
  readonly [Name in keyof Parts]: JoinedValue<Parts[Name][1]> | undefined;
};

/** The type of one configuration of a join. */
export type JoinedValue<Given> =
  Given extends Type<infer T> ? T : Given extends StandardSchema<unknown, object> ? SchemaOutput<Given> : object;

type States = readonly (object | undefined)[];

/** Several keys that change together. It shows only states that existed at one revision. */
export class JoinedConfig implements ConfigRef<object, never> {
  readonly #feeds: DefinitionFeeds;
  readonly #parts: readonly { readonly name: string; readonly key: string; readonly feed: DefinitionFeed }[];
  readonly #joint: FollowedJoint<object | undefined>;
  readonly #listeners: ValueListeners<object>;
  readonly #pinned = new WeakMap<PinnedState, object>();
  #memo: { readonly of: States; readonly value: object } | undefined;

  /** @throws InvalidOptionsError if a part is invalid, or no definition covers its key with its class */
  constructor(feeds: DefinitionFeeds, parts: JoinParts) {
    this.#feeds = feeds;
    this.#parts = Object.entries(parts).map(([name, [key, type]]) => ({ name, key, feed: feeds.of(key, type) }));
    this.#joint = feeds.joints.ofKeys(this.#parts);
    const { state } = this.#joint;
    this.#listeners = new ValueListeners({
      read: () => feeds.pins.outside(() => this.value),
      isKnown: () => state.shown !== undefined,
      guard: feeds.guard,
      subject: this.#subject,
    });
    this.#joint.subscribe(
      () => {
        this.#listeners.notify();
      },
      () => {
        this.#listeners.close();
      },
    );
  }

  get value(): object {
    const pin = this.#feeds.pins.current;
    if (pin) return this.#pinnedValue(pin);
    const { shown } = this.#joint.state;
    if (!shown) {
      throw new ConfigNotFoundError(
        `${this.#subject} is not known yet: etcd has not answered since it was created after startup; create it at startup, or use onChange`,
      );
    }
    if (this.#memo?.of !== shown) this.#memo = { of: shown, value: this.#joined(shown) };
    return this.#memo.value;
  }

  get changes$(): Observable<object> {
    return this.#listeners.changes$;
  }

  onChange(listener: (value: object) => unknown): ConfigSubscription {
    return this.#listeners.onChange(listener);
  }

  put(): Promise<never> {
    return Promise.reject(this.#notWritable('put'));
  }

  update(): Promise<never> {
    return Promise.reject(this.#notWritable('update'));
  }

  get #subject(): string {
    return `the join of ${this.#parts.map(({ key }) => quoted(key)).join(', ')}`;
  }

  #pinnedValue(pin: PinnedState): object {
    let value = this.#pinned.get(pin);
    if (!value) {
      value = this.#joined(this.#parts.map(({ feed, key }) => pin.viewOf(feed).get(key)));
      this.#pinned.set(pin, value);
    }
    return value;
  }

  #joined(states: States): object {
    return Object.freeze(Object.fromEntries(this.#parts.map(({ name }, index) => [name, states[index]])));
  }

  #notWritable(operation: string): InvalidOptionsError {
    return new InvalidOptionsError(`${operation}: ${this.#subject} cannot be written; use StoreService.transaction`);
  }
}

/**
 * Identifies the parts of a join.
 * @throws InvalidOptionsError unless they are an object of pairs of a key and a class or schema
 */
export function joinIdentity(parts: unknown): string {
  const entries = typeof parts === 'object' && parts !== null ? Object.entries(parts) : [];
  const isValid = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string';
  if (entries.length === 0 || !entries.every(([, pair]) => isValid(pair))) {
    throw new InvalidOptionsError('join needs an object of parts, such as { user: ["/app/user", UserConfig] }');
  }
  return JSON.stringify(entries.map(([name, pair]) => [name, (pair as [string])[0]]));
}
