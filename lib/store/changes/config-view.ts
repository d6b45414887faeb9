import { ConfigNotFoundError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { valueName, type ValueType } from '../../dto/value-type.js';
import { freeze } from '../../dto/deep-freeze.js';
import type { ResolvedConfigDefinition } from '../definitions/resolved-definition.js';
import type { ConfigDefinitions } from '../definitions/config-definitions.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';

/** One definition in a view. */
export interface ConfigViewPart {
  /** The definition's key or prefix. */
  readonly target: { readonly key: string } | { readonly prefix: string };
  /** The view contains all changes up to this revision and none after it. */
  readonly revision: number;
}

/** A part with its values. */
export interface ViewedDefinition extends ConfigViewPart {
  readonly definition: ResolvedConfigDefinition;
  readonly values: ReadonlySortedMap<object>;
}

/**
 * An immutable view of all configurations under a prefix at one moment. Creating a view does not copy any key. Each
 * definition is at one revision; different definitions may be at different revisions.
 */
export class ConfigView {
  readonly parts: readonly ConfigViewPart[];
  readonly #definitions: ConfigDefinitions;
  readonly #values: ReadonlyMap<ResolvedConfigDefinition, ReadonlySortedMap<object>>;

  /** @internal */
  constructor(
    readonly prefix: string,
    definitions: ConfigDefinitions,
    viewed: readonly ViewedDefinition[],
  ) {
    this.#definitions = definitions;
    this.#values = new Map(viewed.map(({ definition, values }) => [definition, values]));
    this.parts = Object.freeze(viewed.map(({ target, revision }) => Object.freeze({ target, revision })));
    Object.freeze(this);
  }

  /** The view contains all changes up to this revision: the lowest revision of its parts, 0 without parts. */
  get revision(): number {
    return this.parts.reduce((lowest, { revision }) => Math.min(lowest, revision), this.parts[0]?.revision ?? 0);
  }

  /**
   * Returns the configuration of a key; `undefined` if there was none or the key does not start with the view's prefix.
   * @throws InvalidOptionsError if no definition covers the key, or its definition has another class
   */
  get<T extends object>(key: string, type: ValueType<T>): T | undefined {
    const definition = this.#definitions.of(key, type);
    return key.startsWith(this.prefix) ? (this.#values.get(definition)?.get(key) as T | undefined) : undefined;
  }

  /**
   * Like `get`, but never returns `undefined`.
   * @throws ConfigNotFoundError if there was no configuration
   */
  getOrThrow<T extends object>(key: string, type: ValueType<T>): T {
    const value = this.get(key, type);
    if (value !== undefined) return value;
    throw new ConfigNotFoundError(`${quoted(key)}: there was no valid ${valueName(type)} when the view was created`, {
      key,
    });
  }

  /** Keys with a configuration, sorted. */
  keys(): string[] {
    return inOrder([...this.#values.values()].map((values) => values.keys(this.prefix)));
  }

  /** Configurations of a class by key, sorted. */
  entries<T extends object>(type: ValueType<T>): ReadonlyMap<string, T> {
    const ofType = [...this.#values].filter(([definition]) => definition.type === type);
    return entriesOf<T>(
      this.prefix,
      ofType.map(([, values]) => values),
    );
  }
}

/** Merges the values of several definitions under a prefix, sorted by key; frozen. */
export function entriesOf<T extends object>(
  prefix: string,
  all: readonly ReadonlySortedMap<object>[],
): ReadonlyMap<string, T> {
  const entries = all.map((values) => values.entries(prefix) as [string, T][]);
  const [first = []] = entries;
  return freeze(new Map(entries.length > 1 ? entries.flat().sort(([a], [b]) => (a < b ? -1 : 1)) : first));
}

/** The definitions are sorted by name, so the sort has work to do only for nested prefixes. */
export const inOrder = (keys: readonly string[][]): string[] =>
  keys.length > 1 ? keys.flat().sort() : (keys[0] ?? []);
