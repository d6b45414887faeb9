import { defaultMetadataStorage } from '#class-transformer/storage.js';
import { getMetadataStorage } from 'class-validator';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { className } from '../foreign/class-name.js';
import { loadPackage } from '../foreign/optional-package.js';
import { type AnyClass, isClass, isConstrained, itemTypesOf, propertiesOf } from './class-metadata.js';
import { initialValuesOf } from './initial-values.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { isStandardSchema, type StandardSchema } from './standard-schema.js';
import type { ValueType } from './value-type.js';

/** Converts classes and schemas to JSON Schemas (draft 2020-12) of their documents. */
export class JsonSchemas {
  #converter: ClassConverter | undefined;

  constructor(private readonly load: (name: string) => unknown = loadPackage) {}

  /**
   * Returns `undefined` for a schema whose library has no JSON Schemas, and for a class or schema that cannot be
   * represented.
   * @throws InvalidOptionsError for a class, if the package `class-validator-jsonschema` is not installed
   */
  of(type: ValueType, unknown: 'strip' | 'refuse'): JsonObject | undefined {
    return isStandardSchema(type) ? jsonSchemaOf(type) : this.#ofClass(type, unknown);
  }

  #ofClass(type: AnyClass, unknown: 'strip' | 'refuse'): JsonObject | undefined {
    const { targetConstructorToSchema } = this.#loaded();
    const convert = (each: AnyClass): JsonObject => {
      const schema = withInitialValues(targetConstructorToSchema(each, OPTIONS), each);
      return unknown === 'refuse' ? { ...schema, additionalProperties: false } : schema;
    };
    const nested = nestedClassesOf(type);
    if (!nested) return undefined;
    try {
      const root = convert(type);
      const definitions = Object.fromEntries([...nested].map(([name, each]) => [name, convert(each)]));
      // A type that has no rules, such as that of a property with a custom constraint, allows any value.
      const all = {
        ...Object.fromEntries(referencesIn([root, definitions]).map((name) => [name, {}])),
        ...definitions,
      };
      return { $schema: DRAFT, ...root, ...(Object.keys(all).length > 0 && { $defs: all }) };
    } catch {
      return undefined;
    }
  }

  #loaded(): ClassConverter {
    try {
      return (this.#converter ??= this.load(PACKAGE) as ClassConverter);
    } catch {
      throw new InvalidOptionsError(
        `EtcdTriggerInspector.schema() needs the package "${PACKAGE}" for classes: npm install ${PACKAGE}`,
      );
    }
  }
}

/** The part of class-validator-jsonschema that is used. */
interface ClassConverter {
  readonly targetConstructorToSchema: (type: AnyClass, options: object) => JsonObject;
}

interface TypeMetadata {
  readonly reflectedType: unknown;
}

interface TypeStorage {
  findTypeMetadata(type: unknown, name: string): TypeMetadata | undefined;
}

const PACKAGE = 'class-validator-jsonschema';
const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const REFERENCE = '#/$defs/';

/** The converter creates an instance of each type that TypeScript emitted, to find maps: only maps are created. */
const TYPES: TypeStorage = Object.assign(Object.create(defaultMetadataStorage) as TypeStorage, {
  findTypeMetadata(type: unknown, name: string): TypeMetadata | undefined {
    const typing = (defaultMetadataStorage as TypeStorage).findTypeMetadata(type, name);
    return typing && !isMap(typing.reflectedType) ? { ...typing, reflectedType: undefined } : typing;
  },
});

const isMap = (type: unknown): boolean => isClass(type) && (type === Map || type.prototype instanceof Map);

const OPTIONS = {
  classTransformerMetadataStorage: TYPES,
  classValidatorMetadataStorage: getMetadataStorage(),
  refPointerPrefix: REFERENCE,
};

/** A property that instances have is not required, and its value is the default unless `@JSONSchema()` gives another. */
function withInitialValues(schema: JsonObject, type: AnyClass): JsonObject {
  const { properties, required } = schema;
  if (!isJsonObject(properties)) return schema;
  const initial = initialValuesOf(type);
  const proposed = Object.entries(properties).map(([name, property]) => {
    const json = initial.get(name)?.json;
    return [name, isJsonObject(property) && json !== undefined ? { default: json, ...property } : property];
  });
  const left = Array.isArray(required) ? required.filter((name: string) => !initial.has(name)) : [];
  return {
    ...Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'required')),
    properties: Object.fromEntries(proposed) as JsonObject,
    ...(left.length > 0 && { required: left }),
  };
}

/** The extension of the specification for JSON Schemas: zod and arktype have it, valibot does not. */
interface JsonSchemaSource {
  readonly jsonSchema?: { input(options: { readonly target: 'draft-2020-12' }): JsonObject } | undefined;
}

/** Returns the JSON Schema of the documents of a schema; `undefined` if its library has none, or cannot represent it. */
export function jsonSchemaOf({ '~standard': standard }: StandardSchema): JsonObject | undefined {
  try {
    return (standard as JsonSchemaSource).jsonSchema?.input({ target: 'draft-2020-12' });
  } catch {
    return undefined;
  }
}

/** Returns the nested classes by name, with the class itself if it contains itself; `undefined` if a name is ambiguous. */
export function nestedClassesOf(type: AnyClass): ReadonlyMap<string, AnyClass> | undefined {
  const found = new Map<string, AnyClass>();
  const pending: AnyClass[] = [type];
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const nested of [...propertiesOf(next).values()].flatMap(itemTypesOf).filter(isConstrained)) {
      const known = found.get(className(nested));
      if (known === nested) continue;
      if (known) return undefined;
      found.set(className(nested), nested);
      pending.push(nested);
    }
  }
  return found;
}

/** Returns the names that `$ref`s point to. */
function referencesIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([name, value]: [string, unknown]) =>
    name === '$ref' && typeof value === 'string' && value.startsWith(REFERENCE)
      ? [value.slice(REFERENCE.length)]
      : referencesIn(value),
  );
}
