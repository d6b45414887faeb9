import { isJsonObject, type JsonObject } from './json-object.js';

/** A document, and the part of it that a class or schema knows. */
export interface HeadDocument {
  readonly document: JsonObject;
  /** The document without its unknown properties; for a schema, its output. */
  readonly known: object;
}

/**
 * Lays `next` over a document of the same key: adds the properties of the document that are unknown and that `next` does
 * not have, also in nested objects that both have. Lists are replaced.
 * @returns `next` itself if nothing is added
 */
export const laidOver = (next: JsonObject, { document, known }: HeadDocument): JsonObject =>
  merged(next, document, known);

function merged(next: JsonObject, head: JsonObject, known: unknown): JsonObject {
  if (!isPlainObject(known)) return next;
  const added: JsonObject = {};
  for (const [name, part] of Object.entries(head)) {
    // `undefined` removes a property.
    if (!Object.hasOwn(next, name)) {
      if (!Object.hasOwn(known, name)) added[name] = part;
      continue;
    }
    const own = next[name];
    if (!isJsonObject(own) || !isJsonObject(part) || !Object.hasOwn(known, name)) continue;
    const both = merged(own, part, known[name]);
    if (both !== own) added[name] = both;
  }
  return Object.keys(added).length === 0 ? next : { ...next, ...added };
}

/** False for the result of a transformation, such as a `Date`, whose properties are not those of the document. */
function isPlainObject(value: unknown): value is JsonObject {
  if (!isJsonObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
