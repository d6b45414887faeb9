import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { definitionSchemas } from '../module/definition-schema.js';
import type { ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';

/** The JSON Schemas of the definitions. Each is converted once. */
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
  const properties = schema?.properties;
  // The document of a text is its value.
  return definition.codec === 'text' && isJsonObject(properties) && isJsonObject(properties.value)
    ? properties.value
    : schema;
}

function converted(definition: ResolvedConfigDefinition): JsonObject | undefined {
  try {
    return definitionSchemas('', [definition])[0]?.schema;
  } catch {
    return undefined;
  }
}
