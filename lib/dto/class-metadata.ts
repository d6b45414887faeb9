import 'reflect-metadata';
import { createRequire } from 'node:module';
import { getMetadataStorage, ValidationTypes } from 'class-validator';
import type { TypeHelpOptions, TypeOptions } from 'class-transformer';

export type AnyClass = abstract new (...args: never[]) => object;

/** What decorators say of one property. */
export interface PropertyMetadata {
  readonly name: string;
  /** Names under which a document may hold it: its own, and that of `@Expose({ name })`. */
  readonly jsonNames: readonly string[];
  /** Has at least one class-validator decorator; only such a property is known to a document. */
  readonly isValidated: boolean;
  /** Has `@ValidateNested()`. */
  readonly isNested: boolean;
  /** Has `@Type()`. */
  readonly isTyped: boolean;
  /** Has a `@Transform()`, which may take another form than the class shows. */
  readonly isTransformed: boolean;
  /** The type that TypeScript recorded, `undefined` without `emitDecoratorMetadata`. */
  readonly designType: unknown;
  /** Class given by `@Type()`, and the classes of its discriminator. */
  readonly itemType: unknown;
  readonly discriminator: Discriminator | undefined;
}

export type Discriminator = NonNullable<TypeOptions['discriminator']>;

/** All decorated properties of a class and its ancestors, by name. */
export function propertiesOf(type: AnyClass): ReadonlyMap<string, PropertyMetadata> {
  const known = described.get(type);
  if (known) return known;
  const properties = new Map(
    [...new Set([...validationsOf(type).map(({ propertyName }) => propertyName), ...typedPropertiesOf(type)])].map(
      (name) => [name, propertyOf(type, name)],
    ),
  );
  described.set(type, properties);
  return properties;
}

/** Whether class-validator checks instances of it at all. */
export const isConstrained = (type: unknown): type is AnyClass => isClass(type) && validationsOf(type).length > 0;

/** Something that `new` takes. */
export const isClass = (type: unknown): type is AnyClass =>
  typeof type === 'function' && typeof type.prototype === 'object' && type.prototype !== null;

/** The classes that a nested value of the property may get: those of the discriminator, or the one of `@Type()`. */
export const itemTypesOf = ({ itemType, discriminator }: PropertyMetadata): unknown[] =>
  discriminator ? discriminator.subTypes.map(({ value }) => value) : itemType === undefined ? [] : [itemType];

/** Whether class-transformer writes a discriminator into what it serialises, here or in a nested class. */
export function usesDiscriminator(type: AnyClass, seen = new Set<AnyClass>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  return [...propertiesOf(type).values()].some(
    (property) =>
      property.discriminator !== undefined ||
      itemTypesOf(property).some((item) => isClass(item) && usesDiscriminator(item, seen)),
  );
}

/** Whether class-transformer has anything to do for it beside `@Type()`: `@Transform`, `@Expose` or `@Exclude`, on a property or the class. */
export function takesPartInTransformation(type: AnyClass): boolean {
  const { _exposeMetadatas, _excludeMetadatas, _transformMetadatas } = transformerStorage;
  for (let owner: unknown = type; isClass(owner); owner = Object.getPrototypeOf(owner)) {
    const known = owner;
    if ([_exposeMetadatas, _excludeMetadatas, _transformMetadatas].some((metadatas) => metadatas.has(known)))
      return true;
  }
  return false;
}

/** Decorators run once, when a class comes into being, so what they say is read once per class. */
const described = new WeakMap<AnyClass, ReadonlyMap<string, PropertyMetadata>>();

function propertyOf(type: AnyClass, name: string): PropertyMetadata {
  const validations = validationsOf(type).filter(({ propertyName }) => propertyName === name);
  const typing = transformerStorage.findTypeMetadata(type, name);
  const jsonName = transformerStorage.findExposeMetadata(type, name)?.options?.name;
  return {
    name,
    jsonNames: jsonName === undefined ? [name] : [name, jsonName],
    isValidated: validations.length > 0,
    isNested: validations.some((validation) => validation.type === ValidationTypes.NESTED_VALIDATION),
    isTyped: typing !== undefined,
    isTransformed: transformerStorage.findTransformMetadatas(type, name, PLAIN_TO_CLASS).length > 0,
    designType: Reflect.getMetadata('design:type', type.prototype as object, name),
    itemType: typing && itemTypeOf(typing, name),
    discriminator: typing?.options?.discriminator,
  };
}

const validationsOf = (type: AnyClass) => getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);

function typedPropertiesOf(type: AnyClass): string[] {
  const names: string[] = [];
  for (let owner: unknown = type; isClass(owner); owner = Object.getPrototypeOf(owner)) {
    names.push(...(transformerStorage._typeMetadatas.get(owner)?.keys() ?? []));
  }
  return names;
}

/** `undefined` for a type that depends on the value. */
function itemTypeOf({ typeFunction, reflectedType }: TypeMetadata, property: string): unknown {
  try {
    return typeFunction ? typeFunction({ newObject: {}, object: {}, property }) : reflectedType;
  } catch {
    return undefined;
  }
}

/** The part of class-transformer's storage that is needed here; it is not exported from the package's root (Nest's mapped types read it the same way). */
interface TransformerStorage {
  readonly _typeMetadatas: ReadonlyMap<unknown, ReadonlyMap<string, TypeMetadata>>;
  readonly _exposeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _excludeMetadatas: ReadonlyMap<unknown, unknown>;
  readonly _transformMetadatas: ReadonlyMap<unknown, unknown>;
  findTypeMetadata(type: AnyClass, property: string): TypeMetadata | undefined;
  findExposeMetadata(type: AnyClass, property: string): { readonly options?: { readonly name?: string } } | undefined;
  findTransformMetadatas(type: AnyClass, property: string, transformation: number): readonly unknown[];
}

interface TypeMetadata {
  readonly typeFunction?: (options: TypeHelpOptions) => unknown;
  readonly reflectedType: unknown;
  readonly options?: TypeOptions;
}

const PLAIN_TO_CLASS = 0;

const { defaultMetadataStorage: transformerStorage } = createRequire(import.meta.url)(
  'class-transformer/cjs/storage.js',
) as { readonly defaultMetadataStorage: TransformerStorage };
