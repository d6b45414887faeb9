import type { Type } from '@nestjs/common';
import { freeze } from '../../dto/deep-freeze.js';
import type { ResolvedConfigDefinition } from '../definitions/config-definition.js';
import type { ConfigDefinitions } from '../definitions/config-definitions.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';

/** One definition in a view. */
export interface ConfigViewPart {
  /** The definition's key or prefix. */
  readonly target: { readonly key: string } | { readonly prefix: string };
  /** Everything up to this revision is in the view, and nothing later. */
  readonly revision: number;
}

/** A part with what readers saw of it. */
export interface SeenDefinition extends ConfigViewPart {
  readonly definition: ResolvedConfigDefinition;
  readonly values: ReadonlySortedMap<object>;
}

/**
 * All configurations under a prefix as they were at one moment: it never changes, whatever the store does. Taking one costs nothing per key. Each
 * definition is shown at one revision; several definitions may stand at different ones.
 */
export class ConfigView {
  readonly parts: readonly ConfigViewPart[];
  readonly #definitions: ConfigDefinitions;
  readonly #seen: ReadonlyMap<ResolvedConfigDefinition, ReadonlySortedMap<object>>;

  /** @internal */
  constructor(
    readonly prefix: string,
    definitions: ConfigDefinitions,
    seen: readonly SeenDefinition[],
  ) {
    this.#definitions = definitions;
    this.#seen = new Map(seen.map(({ definition, values }) => [definition, values]));
    this.parts = Object.freeze(seen.map(({ target, revision }) => Object.freeze({ target, revision })));
    Object.freeze(this);
  }

  /** Everything up to this revision is in the view: the least of its parts; 0 without any. */
  get revision(): number {
    return this.parts.length === 0 ? 0 : Math.min(...this.parts.map(({ revision }) => revision));
  }

  /**
   * The configuration under a key, `undefined` when there was none or the key does not begin with the view's prefix.
   * @throws InvalidOptionsError when no definition covers the key, or one with another class
   */
  get<T extends object>(key: string, type: Type<T>): T | undefined {
    const definition = this.#definitions.of(key, type);
    return key.startsWith(this.prefix) ? (this.#seen.get(definition)?.get(key) as T | undefined) : undefined;
  }

  /** Keys that had a configuration, sorted. */
  keys(): string[] {
    return inOrder([...this.#seen.values()].map((values) => values.keys(this.prefix)));
  }

  /** All configurations of a class, by key, sorted. */
  entries<T extends object>(type: Type<T>): ReadonlyMap<string, T> {
    const ofType = [...this.#seen].filter(([definition]) => definition.type === type);
    return entriesOf<T>(
      this.prefix,
      ofType.map(([, values]) => values),
    );
  }
}

/** What several definitions show under a prefix, by key, sorted; frozen. */
export function entriesOf<T extends object>(
  prefix: string,
  all: readonly ReadonlySortedMap<object>[],
): ReadonlyMap<string, T> {
  const entries = all.map((values) => values.entries(prefix) as [string, T][]);
  const [first = []] = entries;
  return freeze(new Map(entries.length > 1 ? entries.flat().sort(([a], [b]) => (a < b ? -1 : 1)) : first));
}

/** Where no two definitions lie in each other this only concatenates: they come in the order of their names. */
export const inOrder = (keys: readonly string[][]): string[] =>
  keys.length > 1 ? keys.flat().sort() : (keys[0] ?? []);
