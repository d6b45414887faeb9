import { aliasesOf } from '../transform-aliases.js';
import { type AnyClass, hasSecrets, isClass, itemTypesOf, propertiesByDocumentName } from '../class-metadata.js';
import type { PropertyMetadata } from '../class-metadata.js';
import { isJsonObject, type JsonObject } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';
import { type SelectedType, selectType } from '../unknown-properties.js';
import { MASK } from './mask.js';
import { isDeclaredSecret } from './secret-names.js';

/** A part of a document that is not shown. */
export interface MaskedPlace {
  readonly path: string;
  /** The value in the document. */
  readonly value: unknown;
}

/** A document in which `***` replaces the secrets. */
export interface MaskedDocument {
  readonly document: JsonObject;
  readonly places: readonly MaskedPlace[];
}

/** The class or schema of a document. */
export interface DocumentSecrets {
  readonly type: unknown;
  /** True if every property is a secret. */
  readonly secret: boolean;
  /**
   * Set if the document is merged from others, or is one of them. Another layer may choose the class of a part, so a
   * property is masked if any class of the part declares it as a secret.
   */
  readonly layers?: readonly string[] | undefined;
}

/**
 * Masks the secrets of a document, which may be invalid: every property of a `secret` definition, and otherwise those with
 * `@Secret()`. If the class has secrets, a part that the class does not know is masked, too, because it may be a secret
 * of another version of the class, or a misspelled one.
 */
export function maskDocument(document: JsonObject, { type, secret, layers }: DocumentSecrets): MaskedDocument {
  const places: MaskedPlace[] = [];
  if (secret) return { document: maskProperties(document, '', places), places };
  if (!isClass(type)) return { document, places };
  const walk: Walk = { path: '', isStrict: hasSecrets(type), isLayered: layers !== undefined, places };
  return { document: maskObject(document, [{ type }], walk), places };
}

interface Walk {
  readonly path: string;
  /** True if unknown parts are masked. */
  readonly isStrict: boolean;
  /** True if another document may choose the class of a part. */
  readonly isLayered: boolean;
  readonly places: MaskedPlace[];
}

function maskProperties(object: JsonObject, path: string, places: MaskedPlace[]): JsonObject {
  return mapped(object, (name, value) => hidden(value, { path: propertyPath(path, name), places }));
}

/** `readings`: the possible classes of the object; a single one unless the document has layers. */
function maskObject(object: JsonObject, readings: readonly SelectedType[], walk: Walk): JsonObject {
  const types = readings.map(({ type }) => type).filter(isClass);
  if (types.length === 0) return object;
  const isStrict = walk.isStrict || types.some((type) => hasSecrets(type));
  return mapped(object, (name, value) => {
    const at = { ...walk, isStrict, path: propertyPath(walk.path, name) };
    if (types.some((type) => isSecretProperty(type, name))) return hidden(value, at);
    const properties = types.flatMap((type) => propertiesByDocumentName(type).get(name) ?? []);
    if (properties.length > 0) return maskProperty(value, object, properties, at);
    const isKnown =
      readings.some(({ selector }) => selector === name) || types.some((type) => aliasesOf(type).has(name));
    return isStrict && !isKnown ? hidden(value, at) : value;
  });
}

/** True if the class declares the property with this name in documents as a secret. */
export function isSecretProperty(type: AnyClass, name: string): boolean {
  const prototype = type.prototype as object;
  const names = [name, propertiesByDocumentName(type).get(name)?.name, ...(aliasesOf(type).get(name) ?? [])];
  return names.some((each) => each !== undefined && isDeclaredSecret(prototype, each));
}

/** `properties`: the property in each class of its owner that knows it. */
function maskProperty(value: unknown, owner: JsonObject, properties: readonly PropertyMetadata[], walk: Walk): unknown {
  const typed = properties.filter(({ isTyped }) => isTyped);
  if (typed.length === 0) return value;
  // A function of the document chooses the class, and the owner is another one in another layer.
  if (walk.isLayered && typed.some(({ isDynamic }) => isDynamic)) return hidden(value, walk);
  const choices = typed.map((property) => ({ property, itemType: property.itemTypeIn(owner) }));
  const itemTypes = choices.flatMap(({ property, itemType }) => [...itemTypesOf(property), itemType]);
  const mayBeSecret = itemTypes.some((each) => hasSecrets(each));
  const maps = typed.filter(({ container }) => container === Map);
  const isAmbiguous = maps.length > 0 && maps.length < typed.length;
  // A transformation may accept another form than that of its class.
  if (mayBeSecret && (isAmbiguous || typed.some(({ isTransformed }) => isTransformed))) return hidden(value, walk);
  if (walk.isStrict && choices.some(({ itemType }) => itemType === undefined)) return hidden(value, walk);
  const read = (part: unknown): readonly SelectedType[] =>
    choices.flatMap(({ property, itemType }) =>
      walk.isLayered ? everyType(property, itemType) : selectType(part, property, itemType),
    );
  if (isJsonObject(value) && maps.length > 0) {
    const whole = read(value);
    // The class of an item is selected by the whole, or by the item itself.
    const readItem = (part: unknown): readonly SelectedType[] => [
      ...whole.map(({ type }) => ({ type })),
      ...read(part),
    ];
    return mapped(value, (name, item) =>
      whole.some(({ selector }) => name === selector)
        ? item
        : maskItem(item, readItem, { ...walk, path: propertyPath(walk.path, name) }, mayBeSecret),
    );
  }
  return maskItem(value, read, walk, mayBeSecret);
}

/** Returns all classes that a discriminator may select. */
function everyType({ discriminator }: PropertyMetadata, itemType: unknown): SelectedType[] {
  if (!discriminator) return [{ type: itemType }];
  const { property: selector, subTypes } = discriminator;
  return [...subTypes.map(({ value }) => value), itemType].map((type) => ({ type, selector }));
}

function maskItem(
  value: unknown,
  read: (part: unknown) => readonly SelectedType[],
  walk: Walk,
  mayBeSecret: boolean,
): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      maskItem(item, read, { ...walk, path: itemPath(walk.path, index) }, mayBeSecret),
    );
  }
  const readings = isJsonObject(value) ? read(value) : [];
  if (isJsonObject(value) && readings.some(({ type }) => isClass(type))) return maskObject(value, readings, walk);
  return mayBeSecret ? hidden(value, walk) : value;
}

function hidden(value: unknown, { path, places }: Pick<Walk, 'path' | 'places'>): unknown {
  if (value === null || value === undefined) return value;
  places.push({ path, value });
  return MASK;
}

/** Keeps names such as `__proto__`, which an assignment would not. */
const mapped = (object: JsonObject, map: (name: string, value: unknown) => unknown): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(name, value)]));
