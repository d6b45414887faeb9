import { hasSecrets, isClass } from '../dto/class-metadata.js';
import { isDeclaredSecret } from '../dto/secrets/secret-names.js';
import { nestedClassesOf } from '../dto/json-schema.js';
import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { definitionSchemas } from '../module/definition-schema.js';
import type { ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';

/** The JSON Schemas of the definitions, with `writeOnly` and without defaults at the secrets. Each is converted once. */
export class DefinitionSchemas {
  readonly #schemas = new WeakMap<ResolvedConfigDefinition, { readonly schema: JsonObject | undefined }>();

  /** Returns `undefined` if there is none, also where the package `class-validator-jsonschema` is not installed. */
  of(definition: ResolvedConfigDefinition): JsonObject | undefined {
    let known = this.#schemas.get(definition);
    if (!known) this.#schemas.set(definition, (known = { schema: schemaOf(definition) }));
    return known.schema;
  }
}

function schemaOf(definition: ResolvedConfigDefinition): JsonObject | undefined {
  const schema = converted(definition);
  if (!schema) return undefined;
  const marked = definition.secret
    ? markProperties(withoutValues(schema), () => true)
    : markDeclared(schema, definition.type);
  const { properties } = marked;
  // The document of a text is its value.
  return definition.codec === 'text' && isJsonObject(properties) && isJsonObject(properties.value)
    ? properties.value
    : marked;
}

function converted(definition: ResolvedConfigDefinition): JsonObject | undefined {
  try {
    return definitionSchemas('', [definition])[0]?.schema;
  } catch {
    return undefined;
  }
}

function markDeclared(schema: JsonObject, type: unknown): JsonObject {
  if (!isClass(type) || !hasSecrets(type)) return schema;
  const marked = markProperties(schema, (name) => isDeclaredSecret(type.prototype as object, name));
  const { $defs } = marked;
  if (!isJsonObject($defs)) return marked;
  const nested = nestedClassesOf(type);
  const definitions = Object.entries($defs).map(([name, definition]): [string, unknown] => {
    const nestedType = nested?.get(name);
    if (!nestedType || !isJsonObject(definition)) return [name, definition];
    return [name, markProperties(definition, (each) => isDeclaredSecret(nestedType.prototype as object, each))];
  });
  return { ...marked, $defs: Object.fromEntries(definitions) };
}

function markProperties(schema: JsonObject, isSecret: (name: string) => boolean): JsonObject {
  const { properties } = schema;
  if (!isJsonObject(properties)) return schema;
  const marked = Object.entries(properties).map(([name, property]): [string, unknown] =>
    isJsonObject(property) && isSecret(name)
      ? [name, { ...withoutValues(property), writeOnly: true }]
      : [name, property],
  );
  return { ...schema, properties: Object.fromEntries(marked) };
}

/** Removes what may be a secret: values that a schema proposes. */
function withoutValues(schema: JsonObject): JsonObject {
  const parts = Object.entries(schema).filter(([keyword]) => keyword !== 'default' && keyword !== 'examples');
  return Object.fromEntries(
    parts.map(([keyword, part]) => [keyword, withoutValuesIn(part, NAMED_SCHEMAS.has(keyword))]),
  );
}

/** `isNamed`: the part has a schema for each name, which may be that of a keyword. */
function withoutValuesIn(part: unknown, isNamed: boolean): unknown {
  if (Array.isArray(part)) return part.map((item) => withoutValuesIn(item, false));
  if (!isJsonObject(part)) return part;
  if (!isNamed) return withoutValues(part);
  return Object.fromEntries(Object.entries(part).map(([name, schema]) => [name, withoutValuesIn(schema, false)]));
}

/** Keywords of objects whose names are not keywords. */
const NAMED_SCHEMAS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs']);
