import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import {
  type ConfigDefinition,
  describeTarget,
  isSameDefinition,
  resolveDefinition,
  type ResolvedConfigDefinition,
} from './config-definition.js';
import { className } from '../../dto/dto-type.js';
import { SortedMap } from '../../collections/sorted-map.js';

/** All definitions of an application, checked once; says which one governs a key. */
export class ConfigDefinitions {
  readonly #keys = new Map<string, ResolvedConfigDefinition>();
  readonly #prefixes = new Map<string, ResolvedConfigDefinition>();
  /** Lengths of the prefixes, longest first: a key is asked once for each length, not for each prefix. */
  readonly #lengths: readonly number[];
  /** By name: one key and one prefix may have the same. */
  readonly #names = new SortedMap<readonly ResolvedConfigDefinition[]>();

  constructor(definitions: Iterable<ConfigDefinition>) {
    for (const definition of definitions) this.#add(resolveDefinition(definition));
    this.#lengths = [...new Set(Array.from(this.#prefixes.keys(), ({ length }) => length))].sort((a, b) => b - a);
    for (const definition of this.all) {
      this.#names.set(definition.name, [...(this.#names.get(definition.name) ?? []), definition]);
    }
  }

  /** Every definition once, in the order given, keys before prefixes. Its `target` is what to watch. */
  get all(): readonly ResolvedConfigDefinition[] {
    return [...this.#keys.values(), ...this.#prefixes.values()];
  }

  /** The one definition that a key belongs to: exact key before prefix, longer prefix before shorter. */
  governing(key: string): ResolvedConfigDefinition | undefined {
    return this.#keys.get(key) ?? this.governingPrefix(key);
  }

  /** The longest defined prefix that covers every key beginning with `prefix`. */
  governingPrefix(prefix: string): ResolvedConfigDefinition | undefined {
    for (const length of this.#lengths) {
      const found = length <= prefix.length ? this.#prefixes.get(prefix.slice(0, length)) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  /** Those that may have keys that begin with the prefix, in the order of their names: O(result + log n). */
  under(prefix: string): ResolvedConfigDefinition[] {
    const covering = this.#lengths
      .filter((length) => length < prefix.length)
      .flatMap((length) => this.#prefixes.get(prefix.slice(0, length)) ?? []);
    return [...covering.reverse(), ...this.#names.entries(prefix).flatMap(([, definitions]) => definitions)];
  }

  /** The definition of a key, for a class. `InvalidOptionsError` for a key that none covers, or that has another class. */
  of<T extends object>(key: string, type: Type<T>): ResolvedConfigDefinition<T> {
    return withClass(`key ${JSON.stringify(key)}`, key, this.governing(key), type);
  }

  /** The definition of all keys under a prefix, for a class. `InvalidOptionsError` when none covers it, or one with another class. */
  ofPrefix<T extends object>(prefix: string, type: Type<T>): ResolvedConfigDefinition<T> {
    return withClass(`prefix ${JSON.stringify(prefix)}`, prefix, this.governingPrefix(prefix), type);
  }

  #add(definition: ResolvedConfigDefinition): void {
    const sameKind = 'key' in definition.target ? this.#keys : this.#prefixes;
    const other = sameKind.get(definition.name);
    if (!other) {
      sameKind.set(definition.name, definition);
    } else if (!isSameDefinition(other, definition)) {
      throw new InvalidOptionsError(
        `${describeTarget(definition.target)} is defined twice and differently, with ${className(other.type)} and with ${className(definition.type)}`,
        { key: definition.name },
      );
    }
  }
}

function withClass<T extends object>(
  subject: string,
  key: string,
  found: ResolvedConfigDefinition | undefined,
  type: Type<T>,
): ResolvedConfigDefinition<T> {
  if (!found) {
    throw new InvalidOptionsError(
      `${subject} was asked for as ${className(type)}, but no definition covers it; add one to "configs" or forFeature()`,
      { key },
    );
  }
  if (!isFor(found, type)) {
    throw new InvalidOptionsError(
      `${subject} was asked for as ${className(type)}, but ${describeTarget(found.target)} is defined with ${className(found.type)}`,
      { key },
    );
  }
  return found;
}

const isFor = <T extends object>(
  definition: ResolvedConfigDefinition,
  type: Type<T>,
): definition is ResolvedConfigDefinition<T> => definition.type === type;
