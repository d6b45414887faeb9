import { getMetadataStorage, ValidationTypes } from 'class-validator';
import { ignoreRejection } from '../foreign/thenable.js';
import {
  type AnyClass,
  isClass,
  propertiesOf,
  type PropertyMetadata,
  hasTransformationMetadata,
} from './class-metadata.js';
import { type Check, compileBuilder, type CompiledProperty } from './compiled-builder.js';
import { deepFreeze } from './deep-freeze.js';
import { indexedFor } from './indexed-array.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { isDeclaredSecret } from './secrets/secret-names.js';

/** Returns a frozen instance of a valid document; `undefined` if class-transformer and class-validator must decide. */
export type CompiledClass = (document: JsonObject) => object | undefined;

/**
 * Reads the decorators of a class once instead of for every document, which makes loading several times faster.
 * @returns `undefined` for a class that needs a transformation or has an asynchronous constraint
 */
export function compileClass(type: AnyClass, outer: ReadonlySet<AnyClass> = new Set()): CompiledClass | undefined {
  if (outer.has(type) || hasTransformationMetadata(type) || hasAccessors(type) || !hasPlainInstances(type))
    return undefined;
  const properties: CompiledProperty[] = [];
  for (const property of propertiesOf(type).values()) {
    const compiled = compileProperty(type, property, new Set([...outer, type]));
    if (!compiled) return undefined;
    properties.push(compiled);
  }
  // class-validator rejects an object without any constraint.
  if (properties.length === 0) return undefined;
  const nested = new Set(properties.filter((property) => property.build).map(({ name }) => name));
  return compileBuilder(type as new () => object, properties, (instance) => freeze(instance, nested));
}

/**
 * Most properties are primitive values, and nested instances are already frozen; `deepFreeze` handles the others.
 * @returns false if the instance cannot be frozen
 */
function freeze(instance: JsonObject, nested: ReadonlySet<string>): boolean {
  for (const name in instance) {
    const value = instance[name];
    if (typeof value !== 'object' || value === null || nested.has(name)) continue;
    if (!Object.hasOwn(instance, name) || deepFreeze(value).length > 0) return false;
  }
  Object.freeze(instance);
  return true;
}

function compileProperty(
  type: AnyClass,
  property: PropertyMetadata,
  outer: ReadonlySet<AnyClass>,
): CompiledProperty | undefined {
  const { name, isNested, isTyped, isValidated, designType } = property;
  if (!isValidated || !isPlainName(type, name)) return undefined;
  if (!isNested && (isTyped || !PLAIN_TYPES.has(designType))) return undefined;
  // The parts of a secret are masked, too.
  if (isDeclaredSecret(type.prototype as object, name) && !PRIMITIVES.has(designType)) return undefined;
  const nested = isNested ? compileNested(property, outer) : undefined;
  if (isNested && !nested) return undefined;
  const conditions: Check[] = [];
  const checks: Check[] = [];
  for (const metadata of metadataOf(type, name)) {
    switch (metadata.type) {
      case ValidationTypes.CONDITIONAL_VALIDATION:
        conditions.push(metadata.constraints[0] as Check);
        break;
      case ValidationTypes.NESTED_VALIDATION:
        if (metadata.validationTypeOptions !== undefined || metadata.each) return undefined;
        break;
      case ValidationTypes.WHITELIST:
        break;
      case ValidationTypes.CUSTOM_VALIDATION:
      case ValidationTypes.IS_DEFINED: {
        const compiled = compileConstraints(type, metadata);
        if (!compiled) return undefined;
        checks.push(...compiled);
        break;
      }
      default:
        return undefined;
    }
  }
  // class-validator reports nested values that are neither objects nor arrays, such as null.
  if (isNested) checks.push((_object, value) => value === undefined || (typeof value === 'object' && value !== null));
  return { name, build: nested, conditions, checks };
}

/**
 * Excludes symbols, methods and everything else that instances inherit: class-transformer does not assign some of these
 * names, and a document without its own `toString` still has one.
 */
const isPlainName = ({ prototype }: AnyClass, name: unknown): boolean =>
  typeof name === 'string' && !(name in (prototype as object));

type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

const metadataOf = (type: AnyClass, name: string): Metadata[] =>
  getMetadataStorage()
    .getTargetValidationMetadatas(type, '', false, false)
    .filter(({ propertyName }) => propertyName === name);

/** Compiles only the built-in constraints: a custom constraint class may come from a container or be asynchronous. */
function compileConstraints(type: AnyClass, metadata: Metadata): Check[] | undefined {
  if (metadata.validateIf) return undefined;
  const validators = getMetadataStorage().getTargetValidatorConstraints(metadata.constraintCls);
  if (validators.some(({ async, target }) => async || target.name !== 'CustomConstraint')) return undefined;
  const { name: targetName } = type;
  const { propertyName: property, each } = metadata;
  const constraints = metadata.constraints as unknown[];
  return validators.map(({ instance }) => {
    const passes = (object: object, value: unknown, item: unknown): boolean =>
      isTrue(instance.validate(indexedFor(metadata.name, item), { targetName, property, object, value, constraints }));
    const one: Check = (object, value) => passes(object, value, value);
    if (!each) return one;
    return (object, value) => {
      if (Array.isArray(value)) return value.every((item) => passes(object, value, item));
      // class-validator checks the items of these as well. They occur only as default values of the class.
      return !(value instanceof Set || value instanceof Map) && one(object, value);
    };
  });
}

/** A promise is not `true`; class-validator calls the validator again and awaits that result. */
function isTrue(result: unknown): boolean {
  if (result === true) return true;
  ignoreRejection(result);
  return false;
}

function compileNested(
  { itemType, container, designType, discriminator, isDynamic }: PropertyMetadata,
  outer: ReadonlySet<AnyClass>,
): ((value: unknown) => unknown) | undefined {
  if (discriminator || isDynamic || !isClass(itemType)) return undefined;
  if (container !== designType || (designType !== Array && designType !== itemType)) return undefined;
  const compiled = compileClass(itemType, outer);
  if (!compiled) return undefined;
  const one = (value: unknown): unknown => (value === null ? null : isJsonObject(value) ? compiled(value) : undefined);
  if (designType !== Array) return one;
  return (value) => {
    if (!Array.isArray(value)) return value === null ? null : undefined;
    const items = value.map(one);
    return items.some((item) => item === undefined || item === null) ? undefined : Object.freeze(items);
  };
}

/** class-transformer does not convert values of these types without `@Type()`. */
const PLAIN_TYPES: ReadonlySet<unknown> = new Set([undefined, String, Number, Boolean, Object, Array]);

const PRIMITIVES: ReadonlySet<unknown> = new Set([String, Number, Boolean]);

/**
 * False if a constructor throws or returns something else, or if instances have symbols, accessors, and properties that
 * are not enumerable or writable, which are too slow to look for in every document.
 */
function hasPlainInstances(type: AnyClass): boolean {
  try {
    const instance = new (type as new () => object)();
    if (Object.getPrototypeOf(instance) !== type.prototype || instance.constructor !== type) return false;
    return Reflect.ownKeys(instance).every((name) => {
      const { enumerable, writable } = Reflect.getOwnPropertyDescriptor(instance, name) ?? {};
      return typeof name === 'string' && enumerable === true && writable === true;
    });
  } catch {
    return false;
  }
}

/** class-transformer skips read-only accessors. */
function hasAccessors(type: AnyClass): boolean {
  for (let prototype = type.prototype as object | null; prototype && prototype !== Object.prototype;) {
    const properties = Object.values(Object.getOwnPropertyDescriptors(prototype));
    if (properties.some((property) => 'get' in property)) return true;
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return false;
}
