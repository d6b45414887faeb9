import { type AnyClass, isConstrained, propertiesByDocumentName, type PropertyMetadata } from './class-metadata.js';
import { aliasesOf } from './transform-aliases.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';

/** Number of paths of one kind that are listed. */
const MAX_PATHS = 100;

/**
 * Removes unknown properties from a document: those without a class-validator decorator in its class or a nested class,
 * apart from names that a `@Transform()` of the class reads.
 * Finds the class of a nested value by the rules of class-transformer. Values of a property with `@Transform()` are not
 * searched.
 * @returns the first 100 paths of the removed properties, and of keys that class-transformer does not copy into a `Map`;
 * `...` stands for the others
 */
export function stripUnknown(document: JsonObject, type: AnyClass, { keepsAliases = true } = {}): StrippedPaths {
  const paths = { unknown: [], forbidden: [], keepsAliases };
  stripObject(document, { type }, '', paths);
  return paths;
}

export interface StrippedPaths {
  readonly unknown: string[];
  readonly forbidden: string[];
  /** True if a name that a `@Transform()` of the class reads is not removed. */
  readonly keepsAliases: boolean;
}

/** Class of a value, and the property that selected it among the classes of a discriminator. */
export interface SelectedType {
  readonly type: unknown;
  readonly selector?: string;
}

function stripObject(object: JsonObject, { type, selector }: SelectedType, path: string, paths: StrippedPaths): void {
  if (!isConstrained(type)) return;
  const properties = propertiesByDocumentName(type);
  for (const [name, value] of Object.entries(object)) {
    const property = properties.get(name);
    if (property) {
      if (property.isNested && !property.isTransformed) {
        stripNested(value, property, property.itemTypeIn(object), propertyPath(path, name), paths);
      }
    } else if (name !== selector && !(paths.keepsAliases && aliasesOf(type).has(name))) {
      Reflect.deleteProperty(object, name);
      addPath(paths.unknown, path, name);
    }
  }
}

function addPath(paths: string[], path: string, name: string): void {
  if (paths.length < MAX_PATHS) paths.push(propertyPath(path, name));
  else if (paths.length === MAX_PATHS) paths.push('...');
}

function stripNested(
  value: unknown,
  property: PropertyMetadata,
  itemType: unknown,
  path: string,
  paths: StrippedPaths,
): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      stripValue(item, selectType(item, property, itemType), itemPath(path, index), paths);
    });
  } else if (isJsonObject(value) && property.container === Map) {
    const selected = selectType(value, property, itemType);
    for (const [name, item] of Object.entries(value)) {
      // class-transformer copies no key with the name of a member of Map, such as `size`.
      if (name in Map.prototype) addPath(paths.forbidden, path, name);
      else if (name !== selected.selector) stripValue(item, { type: selected.type }, propertyPath(path, name), paths);
    }
  } else {
    stripValue(value, selectType(value, property, itemType), path, paths);
  }
}

/** Lists may be nested in lists, and in a `Map`; all their items have the same class. */
function stripValue(value: unknown, selected: SelectedType, path: string, paths: StrippedPaths): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      stripValue(item, { type: selected.type }, itemPath(path, index), paths);
    });
  } else if (isJsonObject(value)) {
    stripObject(value, selected, path, paths);
  }
}

/** Returns the class of a nested value, by the rules of class-transformer. */
export function selectType(value: unknown, { discriminator }: PropertyMetadata, itemType: unknown): SelectedType {
  if (!discriminator) return { type: itemType };
  const { property: selector, subTypes } = discriminator;
  const name = isJsonObject(value) ? value[selector] : undefined;
  return { type: subTypes.find((subType) => subType.name === name)?.value ?? itemType, selector };
}
