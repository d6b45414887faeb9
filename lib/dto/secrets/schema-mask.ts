import {
  type AnyClass,
  hasSecrets,
  isClass,
  isConstrained,
  itemTypesOf,
  propertiesByDocumentName,
  propertiesOf,
} from '../class-metadata.js';
import { isJsonObject, type JsonObject } from '../json-object.js';
import { nestedClassesOf } from '../json-schema.js';
import { isSecretProperty } from './document-mask.js';
import { isDeclaredSecret } from './secret-names.js';

/**
 * Marks the secrets of a JSON Schema with `writeOnly`, and removes the values that it proposes for them: `default` and
 * `examples`. A class that only secrets contain is a secret as a whole. One that another property contains, too, keeps
 * its defaults, because they are those of that property.
 */
export function maskSchema(schema: JsonObject, { type, secret }: { type: unknown; secret: boolean }): JsonObject {
  if (secret) return markAll(schema);
  return isClass(type) && hasSecrets(type) ? markDeclared(schema, type) : schema;
}

function markDeclared(schema: JsonObject, type: AnyClass): JsonObject {
  const root = markClass(schema, type);
  const { $defs } = root;
  if (!isJsonObject($defs)) return root;
  const nested = nestedClassesOf(type);
  const shown = shownClassesOf(type);
  const definitions = Object.entries($defs).map(([name, definition]): [string, unknown] => {
    const nestedType = nested?.get(name);
    if (!nestedType || !isJsonObject(definition)) return [name, definition];
    return [name, shown.has(nestedType) ? markClass(definition, nestedType) : markAll(definition)];
  });
  return { ...root, $defs: Object.fromEntries(definitions) };
}

const markAll = (schema: JsonObject): JsonObject =>
  mapProperties(withoutValues(schema), (_, property) => marked(property));

function markClass(schema: JsonObject, type: AnyClass): JsonObject {
  if (!hasSecrets(type)) return schema;
  const known = propertiesByDocumentName(type);
  // A proposed value of an object contains its secrets.
  const containsSecret = (name: string): boolean => {
    const property = known.get(name);
    return property !== undefined && itemTypesOf(property).some((each) => hasSecrets(each));
  };
  return mapProperties(withoutOwnValues(schema), (name, property) => {
    if (isSecretProperty(type, name)) return marked(property);
    return containsSecret(name) ? withoutValues(property) : property;
  });
}

/** Returns the class and those that are nested in it outside of its secrets. */
function shownClassesOf(type: AnyClass): ReadonlySet<AnyClass> {
  const shown = new Set([type]);
  // A set can grow while it is iterated.
  for (const owner of shown) {
    const open = [...propertiesOf(owner).values()].filter(
      ({ name }) => !isDeclaredSecret(owner.prototype as object, name),
    );
    for (const nested of open.flatMap(itemTypesOf).filter(isConstrained)) shown.add(nested);
  }
  return shown;
}

const marked = (property: JsonObject): JsonObject => ({ ...withoutValues(property), writeOnly: true });

function mapProperties(schema: JsonObject, map: (name: string, property: JsonObject) => JsonObject): JsonObject {
  const { properties } = schema;
  if (!isJsonObject(properties)) return schema;
  const mapped = Object.entries(properties).map(([name, property]) => [
    name,
    isJsonObject(property) ? map(name, property) : property,
  ]);
  return { ...schema, properties: Object.fromEntries(mapped) as JsonObject };
}

/** Removes what may be a secret: values that a schema proposes. */
function withoutValues(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(withoutOwnValues(schema)).map(([keyword, part]) => [
      keyword,
      withoutValuesIn(part, NAMED_SCHEMAS.has(keyword)),
    ]),
  );
}

const withoutOwnValues = (schema: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'default' && keyword !== 'examples'));

/** `isNamed`: the part has a schema for each name, which may be that of a keyword. */
function withoutValuesIn(part: unknown, isNamed: boolean): unknown {
  if (Array.isArray(part)) return part.map((item) => withoutValuesIn(item, false));
  if (!isJsonObject(part)) return part;
  if (!isNamed) return withoutValues(part);
  return Object.fromEntries(Object.entries(part).map(([name, schema]) => [name, withoutValuesIn(schema, false)]));
}

/** Keywords of objects whose names are not keywords. */
const NAMED_SCHEMAS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs']);
