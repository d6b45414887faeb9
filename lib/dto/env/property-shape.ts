import { getMetadataStorage } from 'class-validator';
import { type AnyClass, isConstrained, propertiesByDocumentName, type PropertyMetadata } from '../class-metadata.js';
import { isJsonObject, type JsonObject } from '../json-object.js';
import { jsonSchemaOf } from '../json-schema.js';
import { isStandardSchema } from '../standard-schema.js';
import type { ValueType } from '../value-type.js';

/** A property of a document, as far as a text can be converted to its value. */
export interface PropertyShape {
  /** Name in the document. */
  readonly name: string;
  /** `json`: an array, a map, or another value that is written as JSON. */
  readonly kind: 'string' | 'number' | 'boolean' | 'json' | 'object';
  /** Properties of an `object`. */
  readonly properties: readonly PropertyShape[];
}

/**
 * Returns the properties of the documents of a class, from its decorators and the types that TypeScript emits, or of a
 * schema, from its JSON Schema; `undefined` for a schema without one. A class inside of itself has no properties.
 */
export const shapesOf = (type: ValueType): readonly PropertyShape[] | undefined =>
  isStandardSchema(type) ? shapesOfSchema(jsonSchemaOf(type)) : shapesOfClass(type, []);

function shapesOfClass(type: AnyClass, around: readonly AnyClass[]): PropertyShape[] {
  if (around.includes(type)) return [];
  const byName = [...propertiesByDocumentName(type)];
  return byName
    .filter(([name, property]) => name !== property.name || !hasExposedName(byName, property))
    .map(([name, property]) => {
      const nested = nestedClassOf(property);
      return nested
        ? { name, kind: 'object', properties: shapesOfClass(nested, [...around, type]) }
        : { name, kind: kindOf(type, property), properties: [] };
    });
}

const hasExposedName = (
  byName: readonly (readonly [string, PropertyMetadata])[],
  property: PropertyMetadata,
): boolean => byName.some(([name, other]) => other === property && name !== property.name);

/** Returns the class of a nested object; `undefined` for a container of objects, and for a class that the document chooses. */
function nestedClassOf({ isNested, itemType, designType, discriminator, isDynamic }: PropertyMetadata) {
  const isSingle = isNested && !discriminator && !isDynamic && !isContainer(designType);
  return isSingle && isConstrained(itemType) ? itemType : undefined;
}

const isContainer = (type: unknown): boolean => type === Array || type === Map || type === Set;

function kindOf(type: AnyClass, property: PropertyMetadata): PropertyShape['kind'] {
  const { isNested, isTransformed, itemType, designType } = property;
  const constraints = constraintsOf(type, property.name);
  if (isNested || isContainer(designType) || constraints.some(({ each }) => each)) return 'json';
  if (isTransformed) return 'string';
  const declared = PRIMITIVES.get(itemType) ?? PRIMITIVES.get(designType);
  if (declared) return declared;
  return constraints.map(({ name }) => KINDS.get(name ?? '')).find((kind) => kind !== undefined) ?? 'string';
}

const constraintsOf = (type: AnyClass, name: string) =>
  getMetadataStorage()
    .getTargetValidationMetadatas(type, '', false, false)
    .filter(({ propertyName }) => propertyName === name);

const PRIMITIVES: ReadonlyMap<unknown, PropertyShape['kind']> = new Map<unknown, PropertyShape['kind']>([
  [String, 'string'],
  [Date, 'string'],
  [Number, 'number'],
  [Boolean, 'boolean'],
]);

/** Kinds by the names of constraints, where TypeScript emits no type: for a union, and without its metadata. */
const KINDS: ReadonlyMap<string, PropertyShape['kind']> = new Map([
  ['isInt', 'number'],
  ['isNumber', 'number'],
  ['isPositive', 'number'],
  ['isNegative', 'number'],
  ['min', 'number'],
  ['max', 'number'],
  ['isBoolean', 'boolean'],
  ['isArray', 'json'],
  ['isObject', 'json'],
]);

function shapesOfSchema(schema: unknown): PropertyShape[] | undefined {
  if (!isJsonObject(schema) || !isJsonObject(schema.properties)) return undefined;
  return Object.entries(schema.properties).map(([name, property]) => shapeOfSchema(name, property));
}

function shapeOfSchema(name: string, schema: unknown): PropertyShape {
  const one = isJsonObject(schema) ? withoutNull(schema) : {};
  const properties = shapesOfSchema(one);
  if (properties) return { name, kind: 'object', properties };
  return { name, kind: SCHEMA_KINDS.get(one.type) ?? (one.$ref === undefined ? 'string' : 'json'), properties: [] };
}

/** Returns the schema of the values that are not `null`. */
function withoutNull(schema: JsonObject): JsonObject {
  const { anyOf } = schema;
  const others = Array.isArray(anyOf) ? anyOf.filter((each) => !isJsonObject(each) || each.type !== 'null') : [];
  if (others.length === 1 && isJsonObject(others[0])) return others[0];
  const types = [schema.type].flat().filter((each) => each !== 'null');
  return types.length === 1 ? { ...schema, type: types[0] } : schema;
}

const SCHEMA_KINDS: ReadonlyMap<unknown, PropertyShape['kind']> = new Map<unknown, PropertyShape['kind']>([
  ['string', 'string'],
  ['number', 'number'],
  ['integer', 'number'],
  ['boolean', 'boolean'],
  ['array', 'json'],
  ['object', 'json'],
]);
