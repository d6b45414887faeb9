import { checkText } from '../../option-checks.js';
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
  /** Definitions with layers by each of their layers. */
  readonly #layers = new Map<string, readonly ResolvedConfigDefinition[]>();
  /** Lengths of the prefixes, longest first, so that a lookup takes one step per length and not per prefix. */
  readonly #lengths: readonly number[];
  /** Definitions by name; a key and a prefix may have the same name. */
  readonly #names = new SortedMap<readonly ResolvedConfigDefinition[]>();

  constructor(definitions: Iterable<ConfigDefinition>, limits?: DocumentLimits) {
    for (const definition of definitions) this.#add(resolveDefinition(definition, limits));
    this.#lengths = [...new Set(Array.from(this.#prefixes.keys(), ({ length }) => length))].sort((a, b) => b - a);
    for (const definition of this.all) {
      this.#names.set(definition.name, [...(this.#names.get(definition.name) ?? []), definition]);
      for (const layer of definition.layers ?? []) this.#addLayer(layer, definition);
    }
  }

  /** Every definition once, in the order of the options, keys before prefixes. */
  get all(): readonly ResolvedConfigDefinition[] {
    return [...this.#keys.values(), ...this.#prefixes.values()];
  }

  /**
   * Returns the definition of a key. A key takes precedence over a prefix, and a longer prefix over a shorter one. A layer
   * is a part of the definitions that list it, and no value of its own: no prefix governs it.
   */
  governing(key: string): ResolvedConfigDefinition | undefined {
    return this.#keys.get(key) ?? (this.#layers.has(key) ? undefined : this.governingPrefix(key));
  }

  /** Returns the definitions that list the key as a layer. */
  withLayer(layer: string): readonly ResolvedConfigDefinition[] {
    return this.#layers.get(layer) ?? [];
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
    checkText('the key of a configuration', key);
    return withClass('key', key, this.governing(key), type, this.layerHint(key));
  }

  /** Ends a message about a key without a definition that is a layer; `''` for other keys. */
  layerHint(key: string): string {
    const [owner] = this.withLayer(key);
    return owner && !this.#keys.has(key) ? `; it is a layer of ${describeTarget(owner.target)}: use that key` : '';
  }

  /** @throws InvalidOptionsError if no definition covers the prefix, or its definition has another class */
  ofPrefix<T extends object>(prefix: string, type: ValueType<T>): ResolvedConfigDefinition<T> {
    return withClass('prefix', prefix, this.governingPrefix(prefix), type);
  }

  #addLayer(layer: string, owner: ResolvedConfigDefinition): void {
    checkOwner(layer, owner, this.#keys.get(layer));
    this.#layers.set(layer, [...this.withLayer(layer), owner]);
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

/** @throws InvalidOptionsError if the layer is a key whose document another definition reads as a whole */
function checkOwner(layer: string, owner: ResolvedConfigDefinition, own: ResolvedConfigDefinition | undefined): void {
  // The key of a definition with layers is no document, or a part as well.
  if (!own || own.layers) return;
  throw new InvalidOptionsError(
    `${quoted(layer)} is a layer of ${describeTarget(owner.target)} and has a definition of its own, which would validate a part as a whole: give that definition another key, with "layers: [${quoted(layer)}]"`,
    { key: layer },
  );
}

function withClass<T extends object>(
  kind: 'key' | 'prefix',
  key: string,
  found: ResolvedConfigDefinition | undefined,
  type: ValueType<T>,
  hint = '',
): ResolvedConfigDefinition<T> {
  if (found && hasType(found, type)) return found;
  const fault = requestFault(kind, found, type);
  throw new InvalidOptionsError(`${kind} ${quoted(key)} was requested ${fault}${found ? '' : hint}`, { key });
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
