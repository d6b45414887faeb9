import 'reflect-metadata';
import { defaultMetadataStorage } from '#class-transformer/storage.js';
import { getMetadataStorage, ValidationTypes } from 'class-validator';
import { type TransformFnParams, Type, type TypeHelpOptions, type TypeOptions } from 'class-transformer';
import type { JsonObject } from './json-object.js';
import { declaresSecrets } from './secrets/secret-names.js';

export type AnyClass = abstract new (...args: never[]) => object;

/** The decorators of one property. */
export interface PropertyMetadata {
  readonly name: string;
  /** True if the property has a class-validator decorator; documents may contain only such properties. */
  readonly isValidated: boolean;
  /** True if the property has `@ValidateNested()`. */
  readonly isNested: boolean;
  /** True if the property has `@Type()`. */
  readonly isTyped: boolean;
  /** True if the property has `@Transform()`, which may accept another form than the class declares. */
  readonly isTransformed: boolean;
  /** Type that TypeScript emitted; `undefined` without `emitDecoratorMetadata`. */
  readonly designType: unknown;
  /** Container that class-transformer creates for nested values, such as `Map`; `undefined` without `@Type()`. */
  readonly container: unknown;
  /** Class given to `@Type()`; `undefined` if the function throws without a document. */
  readonly itemType: unknown;
  /** True if the class given to `@Type()` depends on the document. */
  readonly isDynamic: boolean;
  /** Returns the class given to `@Type()`, for a property of this document. */
  readonly itemTypeIn: (document: JsonObject) => unknown;
  readonly discriminator: Discriminator | undefined;
}

export type Discriminator = NonNullable<TypeOptions['discriminator']>;

/** Returns all decorated properties of a class and its ancestors, by name. */
export function propertiesOf(type: AnyClass): ReadonlyMap<string, PropertyMetadata> {
  const cached = propertiesByClass.get(type);
  if (cached) return cached;
  const properties = new Map(
    [...new Set([...validationsOf(type).map(({ propertyName }) => propertyName), ...typedPropertiesOf(type)])].map(
      (name) => [name, propertyOf(type, name)],
    ),
  );
  propertiesByClass.set(type, properties);
  return properties;
}

/** Returns the validated properties of a class by the names that a document may use. */
export function propertiesByDocumentName(type: AnyClass): ReadonlyMap<string, PropertyMetadata> {
  const cached = propertiesByName.get(type);
  if (cached) return cached;
  const validated = [...propertiesOf(type).values()].filter(({ isValidated }) => isValidated);
  const byName = new Map(validated.map((property) => [property.name, property]));
  // An exposed name takes precedence over another property's own name, as in class-transformer.
  for (const [exposedName, name] of exposedNamesOf(type)) {
    const property = propertiesOf(type).get(name);
    if (property?.isValidated) byName.set(exposedName, property);
  }
  propertiesByName.set(type, byName);
  return byName;
}

/**
 * Returns the property names by the names of `@Expose({ name })`. class-transformer accepts those of overridden
 * properties as well, and prefers the first one, of the oldest ancestor.
 */
function exposedNamesOf(type: AnyClass): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { propertyName, options } of transformerStorage.getExposedMetadatas(type)) {
    if (options?.name !== undefined && !names.has(options.name)) names.set(options.name, propertyName);
  }
  return names;
}

/** True if the class has at least one class-validator constraint. */
export const isConstrained = (type: unknown): type is AnyClass =>
  isClass(type) && [...propertiesOf(type).values()].some(({ isValidated }) => isValidated);

export const isClass = (type: unknown): type is AnyClass =>
  typeof type === 'function' && typeof type.prototype === 'object' && type.prototype !== null;

/** Returns the possible classes of a nested value: those of the discriminator, or the one given to `@Type()`. */
export const itemTypesOf = ({ itemType, discriminator }: PropertyMetadata): unknown[] =>
  discriminator ? discriminator.subTypes.map(({ value }) => value) : itemType === undefined ? [] : [itemType];

/** True if class-transformer writes a discriminator property when it serializes the class or a nested class. */
export function usesDiscriminator(type: AnyClass, visited = new Set<AnyClass>()): boolean {
  if (visited.has(type)) return false;
  visited.add(type);
  return [...propertiesOf(type).values()].some(
    (property) =>
      property.discriminator !== undefined ||
      itemTypesOf(property).some((item) => isClass(item) && usesDiscriminator(item, visited)),
  );
}

/** True if a document of the class is transformed by `@Transform`, `@Expose` or `@Exclude`. */
export function hasTransformationMetadata(type: AnyClass): boolean {
  const { _exposeMetadatas, _excludeMetadatas, _transformMetadatas } = transformerStorage;
  for (let owner: unknown = type; isClass(owner); owner = Object.getPrototypeOf(owner)) {
    const transforms = [...(_transformMetadatas.get(owner)?.values() ?? [])].flat();
    const transformsDocuments = transforms.some(({ options }) => options?.toPlainOnly !== true);
    if (_exposeMetadatas.has(owner) || _excludeMetadatas.has(owner) || transformsDocuments) return true;
  }
  return false;
}

/** True if the class or a nested class, as far as they are known without a document, has properties with `@Secret()`. */
export function hasSecrets(type: unknown, visited = new Set<AnyClass>()): boolean {
  if (!isClass(type) || visited.has(type)) return false;
  visited.add(type);
  return (
    declaresSecrets(type.prototype as object) ||
    [...propertiesOf(type).values()].some((property) => itemTypesOf(property).some((item) => hasSecrets(item, visited)))
  );
}

/** Decorators run once, when the class is defined, so their metadata is read once per class. */
const propertiesByClass = new WeakMap<AnyClass, ReadonlyMap<string, PropertyMetadata>>();
const propertiesByName = new WeakMap<AnyClass, ReadonlyMap<string, PropertyMetadata>>();

function propertyOf(type: AnyClass, name: string): PropertyMetadata {
  const validations = validationsOf(type).filter(({ propertyName }) => propertyName === name);
  const typing = transformerStorage.findTypeMetadata(type, name);
  return {
    name,
    isValidated: validations.length > 0,
    isNested: validations.some((validation) => validation.type === ValidationTypes.NESTED_VALIDATION),
    isTyped: typing !== undefined,
    isTransformed: transformsOf(type, name).length > 0,
    designType: Reflect.getMetadata('design:type', type.prototype as object, name),
    container: typing?.reflectedType,
    // Read on each access, because a class that is declared later cannot be read at the first one.
    get itemType() {
      return typing && itemTypeOf(typing, { newObject: {}, object: {}, property: name });
    },
    get isDynamic() {
      return typing !== undefined && dependsOnDocument(typing, name);
    },
    itemTypeIn: (document) => typing && itemTypeOf(typing, helpFor(type, document, name)),
    discriminator: typing?.options?.discriminator,
  };
}

/** Returns the `@Transform()` decorators of a property that apply to documents. */
export const transformsOf = (type: AnyClass, name: string): readonly TransformMetadata[] =>
  transformerStorage.findTransformMetadatas(type, name, PLAIN_TO_CLASS);

const validationsOf = (type: AnyClass) => getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);

function typedPropertiesOf(type: AnyClass): string[] {
  const names: string[] = [];
  for (let owner: unknown = type; isClass(owner); owner = Object.getPrototypeOf(owner)) {
    names.push(...(transformerStorage._typeMetadatas.get(owner)?.keys() ?? []));
  }
  return names;
}

/** Returns `undefined` if the function throws. */
function itemTypeOf({ typeFunction, reflectedType }: TypeMetadata, options: TypeHelpOptions): unknown {
  try {
    return typeFunction ? typeFunction(options) : reflectedType;
  } catch {
    return undefined;
  }
}

function dependsOnDocument(typing: TypeMetadata, property: string): boolean {
  let isRead = false;
  const read = (): Record<string, unknown> => {
    isRead = true;
    return {};
  };
  itemTypeOf(typing, {
    get newObject() {
      return read();
    },
    get object() {
      return read();
    },
    property,
  });
  return isRead;
}

/** The instance does not exist yet; functions that read it get one with the properties of the document. */
const helpFor = (type: AnyClass, object: JsonObject, property: string): TypeHelpOptions => ({
  get newObject() {
    return Object.assign(Object.create(type.prototype as object) as JsonObject, object);
  },
  object,
  property,
});

/**
 * class-transformer does not export its storage from the package root; the mapped types of Nest read it in the same
 * way.
 */
interface TransformerStorage {
  readonly _typeMetadatas: ReadonlyMap<unknown, ReadonlyMap<string, TypeMetadata>>;
  readonly _exposeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _excludeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _transformMetadatas: ReadonlyMap<unknown, ReadonlyMap<string, readonly TransformMetadata[]>>;
  findTypeMetadata(type: AnyClass, property: string): TypeMetadata | undefined;
  getExposedMetadatas(type: AnyClass): readonly ExposeMetadata[];
  findTransformMetadatas(type: AnyClass, property: string, transformation: number): readonly TransformMetadata[];
}

export interface TransformMetadata {
  readonly transformFn: (params: TransformFnParams) => unknown;
  readonly options?: { readonly toPlainOnly?: boolean };
}

interface ExposeMetadata {
  readonly propertyName: string;
  readonly options?: { readonly name?: string };
}

interface TypeMetadata {
  readonly typeFunction?: (options: TypeHelpOptions) => unknown;
  readonly reflectedType: unknown;
  readonly options?: TypeOptions;
}

const PLAIN_TO_CLASS = 0;

const transformerStorage = defaultMetadataStorage as TransformerStorage;

/**
 * False if the decorators of class-transformer write into another storage than the one that is read here: a bundler has
 * included the package twice.
 */
export const readsDecorators = (): boolean =>
  (isRead ??= transformerStorage.findTypeMetadata(Probe, 'probe') !== undefined);

let isRead: boolean | undefined;

class Probe {
  @Type(() => Probe)
  probe: unknown;
}
