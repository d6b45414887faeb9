import { JsonSchemas } from '../dto/json-schema.js';
import { partSchema } from '../dto/part-schema.js';
import { maskSchema } from '../dto/secrets/schema-mask.js';
import { typeName } from '../dto/value-type.js';
import type { ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';

/** The JSON Schema of the documents of one definition. */
export interface DefinitionSchema {
  readonly cluster: string;
  readonly target: { readonly key: string } | { readonly prefix: string };
  /**
   * Keys of the documents that are merged; `undefined` for a definition without layers and override. The schema is that of
   * each of them: no property is required. It does not contain the `null` that removes a property.
   */
  readonly layers?: readonly string[];
  /** Name of the class, or the kind of schema, such as `zod schema`. */
  readonly type: string;
  /** Format of the documents; `custom` for a codec of the application. */
  readonly codec: 'json' | 'text' | 'yaml' | 'custom';
  /**
   * Draft 2020-12. A property with an initializer is not required, and its `default` is the initial value. Secrets are
   * `writeOnly`, and have no `default` and no `examples`. `undefined` for a schema whose library has no JSON Schemas, and
   * for a class or schema that cannot be represented.
   */
  readonly schema: Readonly<Record<string, unknown>> | undefined;
}

/** @throws InvalidOptionsError as `EtcdTriggerInspector.schema` */
export function definitionSchemas(
  cluster: string,
  definitions: readonly ResolvedConfigDefinition[],
): DefinitionSchema[] {
  const schemas = new JsonSchemas();
  return definitions.map(({ target, type, codec, unknown, layers, secret }) => {
    const whole = schemas.of(type, unknown);
    const schema = whole && layers ? partSchema(whole) : whole;
    return {
      cluster,
      target,
      ...(layers && { layers }),
      type: typeName(type),
      codec: typeof codec === 'string' ? codec : 'custom',
      schema: schema && maskSchema(schema, { type, secret }),
    };
  });
}
