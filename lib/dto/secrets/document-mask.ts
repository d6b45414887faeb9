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
}

/**
 * Masks the secrets of a document, which may be invalid: every property of a `secret` definition, and otherwise those with
 * `@Secret()`. If the class has secrets, a part that the class does not know is masked, too, because it may be a secret
 * of another version of the class, or a misspelled one.
 */
export function maskDocument(document: JsonObject, { type, secret }: DocumentSecrets): MaskedDocument {
  const places: MaskedPlace[] = [];
  if (secret) return { document: maskProperties(document, '', places), places };
  if (!isClass(type)) return { document, places };
  return { document: maskObject(document, { type }, { path: '', isStrict: hasSecrets(type), places }), places };
}

interface Walk {
  readonly path: string;
  /** True if unknown parts are masked. */
  readonly isStrict: boolean;
  readonly places: MaskedPlace[];
}

function maskProperties(object: JsonObject, path: string, places: MaskedPlace[]): JsonObject {
  return mapped(object, (name, value) => hidden(value, { path: propertyPath(path, name), isStrict: true, places }));
}

function maskObject(object: JsonObject, { type, selector }: SelectedType, walk: Walk): JsonObject {
  if (!isClass(type)) return object;
  const isStrict = walk.isStrict || hasSecrets(type);
  const properties = propertiesByDocumentName(type);
  return mapped(object, (name, value) => {
    const at = { ...walk, isStrict, path: propertyPath(walk.path, name) };
    const property = properties.get(name);
    if (isSecret(type, name, property)) return hidden(value, at);
    if (property) return maskProperty(value, object, property, at);
    const isKnown = name === selector || aliasesOf(type).has(name);
    return isStrict && !isKnown ? hidden(value, at) : value;
  });
}

function isSecret(type: AnyClass, name: string, property: PropertyMetadata | undefined): boolean {
  const prototype = type.prototype as object;
  const names = [name, property?.name, ...(aliasesOf(type).get(name) ?? [])];
  return names.some((each) => each !== undefined && isDeclaredSecret(prototype, each));
}

function maskProperty(value: unknown, owner: JsonObject, property: PropertyMetadata, walk: Walk): unknown {
  if (!property.isTyped) return value;
  const itemType = property.itemTypeIn(owner);
  const mayBeSecret = [...itemTypesOf(property), itemType].some((each) => hasSecrets(each));
  // A transformation may accept another form than that of its class.
  if (property.isTransformed && mayBeSecret) return hidden(value, walk);
  if (itemType === undefined && walk.isStrict) return hidden(value, walk);
  const select = (part: unknown): SelectedType => {
    const selected = selectType(part, property, itemType);
    return selected.type === undefined && mayBeSecret ? UNKNOWN : selected;
  };
  if (isJsonObject(value) && property.container === Map) {
    const { selector } = select(value);
    return mapped(value, (name, item) =>
      name === selector
        ? item
        : maskItem(item, select(item), { ...walk, path: propertyPath(walk.path, name) }, mayBeSecret),
    );
  }
  return maskItem(value, select, walk, mayBeSecret);
}

/** Stands for a class that the discriminator of a document does not tell. */
const UNKNOWN: SelectedType = { type: undefined };

function maskItem(
  value: unknown,
  selected: SelectedType | ((part: unknown) => SelectedType),
  walk: Walk,
  mayBeSecret: boolean,
): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      maskItem(item, selected, { ...walk, path: itemPath(walk.path, index) }, mayBeSecret),
    );
  }
  const chosen = typeof selected === 'function' ? selected(value) : selected;
  const isOfClass = isJsonObject(value) && chosen !== UNKNOWN && isClass(chosen.type);
  if (isOfClass) return maskObject(value, chosen, walk);
  return mayBeSecret ? hidden(value, walk) : value;
}

function hidden(value: unknown, { path, places }: Walk): unknown {
  if (value === null || value === undefined) return value;
  places.push({ path, value });
  return MASK;
}

/** Keeps names such as `__proto__`, which an assignment would not. */
const mapped = (object: JsonObject, map: (name: string, value: unknown) => unknown): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(name, value)]));
