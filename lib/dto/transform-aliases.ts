import { TransformationType, type TransformFnParams } from 'class-transformer';
import { ignoreRejection } from '../foreign/thenable.js';
import { type AnyClass, propertiesByDocumentName, propertiesOf, transformsOf } from './class-metadata.js';
import { isForbiddenName, type JsonObject } from './json-object.js';

/** The properties whose `@Transform()` reads another name of the document, by that name. */
export type TransformAliases = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Returns the names that the class does not declare, but whose values its `@Transform()` functions read from `obj`, such
 * as the former name of a property. They are found by a call of each function without a value, once per class.
 */
export function aliasesOf(type: AnyClass): TransformAliases {
  const cached = aliasesByClass.get(type);
  if (cached) return cached;
  const declared = propertiesByDocumentName(type);
  const aliases = new Map<string, Set<string>>();
  for (const { name, isTransformed } of propertiesOf(type).values()) {
    if (!isTransformed) continue;
    for (const read of namesReadBy(type, name)) {
      if (declared.has(read) || isForbiddenName(read)) continue;
      aliases.set(read, (aliases.get(read) ?? new Set()).add(name));
    }
  }
  aliasesByClass.set(type, aliases);
  return aliases;
}

/** Returns the names of a document that become properties: without aliases, and with the properties that read them. */
export function withoutAliases(names: readonly string[], document: JsonObject, type: AnyClass): string[] {
  const aliases = aliasesOf(type);
  if (aliases.size === 0) return [...names];
  const kept = new Set(names.filter((name) => !aliases.has(name)));
  for (const [alias, readers] of aliases) {
    if (Object.hasOwn(document, alias)) for (const name of readers) kept.add(name);
  }
  return [...kept];
}

const aliasesByClass = new WeakMap<AnyClass, TransformAliases>();

function namesReadBy(type: AnyClass, key: string): ReadonlySet<string> {
  const names = new Set<string>();
  const record = (name: string | symbol): boolean => {
    if (typeof name === 'string') names.add(name);
    return false;
  };
  const obj = new Proxy<JsonObject>(
    {},
    { get: (_, name) => (record(name) ? name : undefined), has: (_, name) => record(name) },
  );
  for (const { transformFn } of transformsOf(type, key)) {
    try {
      const params = {
        value: undefined,
        key,
        obj,
        type: TransformationType.PLAIN_TO_CLASS,
        options: {},
      } satisfies TransformFnParams;
      ignoreRejection(transformFn(params));
    } catch {
      // The names that it has read until then count.
    }
  }
  return names;
}
