import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { ConfigDefinition } from './config-definition.js';
import {
  describeTarget,
  isSameDefinition,
  resolveDefinition,
  type ResolvedConfigDefinition,
} from './resolved-definition.js';
import type { DocumentLimits } from '../../dto/document-limits.js';
import { SortedMap } from '../../collections/sorted-map.js';
import { quoted } from '../../foreign/foreign-text.js';
import { typeName, type ValueType } from '../../dto/value-type.js';

/** All definitions of an application. Finds the definition that governs a key. */
export class ConfigDefinitions {
  readonly #keys = new Map<string, ResolvedConfigDefinition>();
  readonly #prefixes = new Map<string, ResolvedConfigDefinition>();
  /** Lengths of the prefixes, longest first, so that a lookup takes one step per length and not per prefix. */
  readonly #lengths: readonly number[];
  /** Definitions by name; a key and a prefix may have the same name. */
  readonly #names = new SortedMap<readonly ResolvedConfigDefinition[]>();

  constructor(definitions: Iterable<ConfigDefinition>, limits?: DocumentLimits) {
    for (const definition of definitions) this.#add(resolveDefinition(definition, limits));
    this.#lengths = [...new Set(Array.from(this.#prefixes.keys(), ({ length }) => length))].sort((a, b) => b - a);
    for (const definition of this.all) {
      this.#names.set(definition.name, [...(this.#names.get(definition.name) ?? []), definition]);
    }
  }

  /** Every definition once, in the order of the options, keys before prefixes. */
  get all(): readonly ResolvedConfigDefinition[] {
    return [...this.#keys.values(), ...this.#prefixes.values()];
  }

  /** Returns the definition of a key. A key takes precedence over a prefix, and a longer prefix over a shorter one. */
  governing(key: string): ResolvedConfigDefinition | undefined {
    return this.#keys.get(key) ?? this.governingPrefix(key);
  }

  /** Returns the definition with the longest prefix that covers every key under `prefix`. */
  governingPrefix(prefix: string): ResolvedConfigDefinition | undefined {
    for (const length of this.#lengths) {
      const definition = length <= prefix.length ? this.#prefixes.get(prefix.slice(0, length)) : undefined;
      if (definition) return definition;
    }
    return undefined;
  }

  /** Returns the definitions that may have keys under the prefix, sorted by name: O(result + log n). */
  under(prefix: string): ResolvedConfigDefinition[] {
    const covering = this.#lengths
      .filter((length) => length < prefix.length)
      .flatMap((length) => this.#prefixes.get(prefix.slice(0, length)) ?? []);
    return [...covering.reverse(), ...this.#names.entries(prefix).flatMap(([, definitions]) => definitions)];
  }

  /** @throws InvalidOptionsError if no definition covers the key, or its definition has another class */
  of<T extends object>(key: string, type: ValueType<T>): ResolvedConfigDefinition<T> {
    return withClass(`key ${quoted(key)}`, key, this.governing(key), type);
  }

  /** @throws InvalidOptionsError if no definition covers the prefix, or its definition has another class */
  ofPrefix<T extends object>(prefix: string, type: ValueType<T>): ResolvedConfigDefinition<T> {
    return withClass(`prefix ${quoted(prefix)}`, prefix, this.governingPrefix(prefix), type);
  }

  #add(definition: ResolvedConfigDefinition): void {
    const sameKind = 'key' in definition.target ? this.#keys : this.#prefixes;
    const other = sameKind.get(definition.name);
    if (!other) {
      sameKind.set(definition.name, definition);
    } else if (!isSameDefinition(other, definition)) {
      throw new InvalidOptionsError(
        `${describeTarget(definition.target)} has two different definitions, with ${typeName(other.type)} and with ${otherName(definition.type, other.type)}`,
        { key: definition.name },
      );
    }
  }
}

function withClass<T extends object>(
  subject: string,
  key: string,
  found: ResolvedConfigDefinition | undefined,
  type: ValueType<T>,
): ResolvedConfigDefinition<T> {
  if (!found) {
    throw new InvalidOptionsError(
      `${subject} was requested as ${typeName(type)}, but no definition covers it; add one to "configs" or forFeature()`,
      { key },
    );
  }
  if (!hasType(found, type)) {
    throw new InvalidOptionsError(
      `${subject} was requested as ${typeName(type)}, but ${describeTarget(found.target)} is defined with ${otherName(found.type, type)}`,
      { key },
    );
  }
  return found;
}

/** Two classes may have the same name, and all schemas of a library do. */
const otherName = (type: ValueType, known: ValueType): string =>
  type !== known && typeName(type) === typeName(known) ? `another ${typeName(type)}` : typeName(type);

const hasType = <T extends object>(
  definition: ResolvedConfigDefinition,
  type: ValueType<T>,
): definition is ResolvedConfigDefinition<T> => definition.type === (type as ValueType);
