import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonObject } from './json-object.js';
import { propertyPath } from './property-path.js';

/** A document that is merged with others, and its origin. */
export interface DocumentPart<Origin> {
  readonly document: JsonObject;
  readonly origin: Origin;
}

/**
 * Merges documents from left to right by the rules of JSON Merge Patch (RFC 7396): objects deeply; any other value,
 * such as an array, replaces the one before it; `null` removes a property. The names must have been checked by
 * `readDocument`.
 */
export const mergedDocument = (documents: readonly JsonObject[]): JsonObject => documents.reduce(merged, {});

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const properties = new Map(Object.entries(target));
  for (const [name, part] of Object.entries(patch)) {
    const own = properties.get(name);
    if (part === null) properties.delete(name);
    else if (isJsonObject(part)) properties.set(name, merged(isJsonObject(own) ? own : {}, part));
    else properties.set(name, part);
  }
  return Object.fromEntries(properties);
}

/**
 * Returns the origin of each property of a merged document, by path, from the parts that it was merged from. An object
 * is listed by its properties; an array and an empty object as a whole.
 */
export function originsIn<Origin>(whole: JsonObject, parts: readonly DocumentPart<Origin>[]): Map<string, Origin> {
  const origins = new Map<string, Origin>();
  addOrigins(whole, parts, '', origins);
  return origins;
}

function addOrigins<Origin>(
  whole: JsonObject,
  parts: readonly DocumentPart<Origin>[],
  path: string,
  origins: Map<string, Origin>,
): void {
  for (const [name, value] of Object.entries(whole)) {
    const setting = parts.filter(({ document }) => Object.hasOwn(document, name));
    // A value that is no object replaces everything before it.
    const start = setting.findLastIndex(({ document }) => !isJsonObject(document[name]));
    const at = propertyPath(path, name);
    const last = setting.at(-1);
    if (isJsonObject(value) && Object.keys(value).length > 0) {
      const inner = setting.slice(start + 1).map(({ document, origin }) => ({
        document: document[name] as JsonObject,
        origin,
      }));
      addOrigins(value, inner, at, origins);
    } else if (last) {
      origins.set(at, last.origin);
    }
  }
}

/** Returns the merge patch that turns one document into another. */
export function patchOf(before: JsonObject, after: JsonObject): JsonObject {
  const changes: [string, unknown][] = [];
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) changes.push([name, null]);
  for (const [name, next] of Object.entries(after)) {
    const previous = Object.hasOwn(before, name) ? before[name] : undefined;
    if (isDeepStrictEqual(previous, next)) continue;
    changes.push([name, isJsonObject(previous) && isJsonObject(next) ? patchOf(previous, next) : next]);
  }
  return Object.fromEntries(changes);
}

/**
 * Returns the document that, merged over `below`, results in `wanted`. Keeps the properties of `own`, the present
 * document, that have the wanted value, also where `below` has the same.
 */
export function documentOver(below: JsonObject, own: JsonObject, wanted: JsonObject): JsonObject {
  const parts: [string, unknown][] = [];
  for (const name of new Set([...Object.keys(own), ...Object.keys(wanted), ...Object.keys(below)])) {
    const lower = Object.hasOwn(below, name) ? below[name] : undefined;
    const current = Object.hasOwn(own, name) ? own[name] : undefined;
    if (!Object.hasOwn(wanted, name)) {
      if (lower !== undefined || current === null) parts.push([name, null]);
      continue;
    }
    const next = wanted[name];
    if (isJsonObject(next) && isJsonObject(lower)) {
      const inner = documentOver(lower, isJsonObject(current) ? current : {}, next);
      if (Object.keys(inner).length > 0 || isJsonObject(current)) parts.push([name, inner]);
    } else if (current !== undefined || !isDeepStrictEqual(lower, next)) {
      parts.push([name, next]);
    }
  }
  return Object.fromEntries(parts);
}
