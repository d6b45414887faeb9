import { isJsonObject, type JsonObject } from './json-object.js';

/**
 * Returns the schema of a part of a document, such as a layer: no object needs any of its properties. A part may fit
 * several schemas of a `oneOf`, so that becomes `anyOf`.
 */
export function partSchema(schema: JsonObject): JsonObject {
  const parts = Object.entries(schema).filter(([keyword]) => keyword !== 'required');
  return Object.fromEntries(
    parts.map(([keyword, part]) => [
      keyword === 'oneOf' && !('anyOf' in schema) ? 'anyOf' : keyword,
      UNCHANGED.has(keyword) ? part : partIn(part, NAMED_SCHEMAS.has(keyword)),
    ]),
  );
}

/** `isNamed`: the part has a schema for each name, which may be that of a keyword. */
function partIn(part: unknown, isNamed: boolean): unknown {
  if (Array.isArray(part)) return part.map((item) => partIn(item, false));
  if (!isJsonObject(part)) return part;
  if (!isNamed) return partSchema(part);
  return Object.fromEntries(Object.entries(part).map(([name, schema]) => [name, partIn(schema, false)]));
}

/** Keywords of objects whose names are not keywords. */
const NAMED_SCHEMAS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs']);

/** Keywords that contain values, or schemas that must not accept more. */
const UNCHANGED: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'not', 'if']);
