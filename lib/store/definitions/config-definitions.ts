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
import { isClass } from '../../dto/class-metadata.js';
import { isStandardSchema } from '../../dto/standard-schema.js';
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
    return withClass('key', key, this.governing(key), type);
  }

  /** @throws InvalidOptionsError if no definition covers the prefix, or its definition has another class */
  ofPrefix<T extends object>(prefix: string, type: ValueType<T>): ResolvedConfigDefinition<T> {
    return withClass('prefix', prefix, this.governingPrefix(prefix), type);
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
  kind: 'key' | 'prefix',
  key: string,
  found: ResolvedConfigDefinition | undefined,
  type: ValueType<T>,
): ResolvedConfigDefinition<T> {
  if (found && hasType(found, type)) return found;
  throw new InvalidOptionsError(`${kind} ${quoted(key)} was requested ${requestFault(kind, found, type)}`, { key });
}

function requestFault(kind: string, found: ResolvedConfigDefinition | undefined, type: ValueType): string {
  if (!isClass(type) && !isStandardSchema(type))
    return `without a class or schema: pass that of its definition after the ${kind}`;
  const requested = `as ${typeName(type)}`;
  return found
    ? `${requested}, but ${describeTarget(found.target)} is defined with ${otherName(found.type, type)}`
    : `${requested}, but no definition covers it; add one to "configs" or forFeature()`;
}

/** Two classes may have the same name, and all schemas of a library do. */
const otherName = (type: ValueType, known: ValueType): string =>
  type !== known && typeName(type) === typeName(known) ? `another ${typeName(type)}` : typeName(type);

const hasType = <T extends object>(
  definition: ResolvedConfigDefinition,
  type: ValueType<T>,
): definition is ResolvedConfigDefinition<T> => definition.type === (type as ValueType);
