import { type AnyClass, isConstrained, propertiesOf, type PropertyMetadata } from './class-metadata.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';

/** Number of paths that are listed. */
const MAX_PATHS = 100;

/**
 * Removes unknown properties from a document: those without a class-validator decorator in its class or a nested class.
 * Values of a property with `@Transform()` are not searched.
 * @returns the paths of the first 100 removed properties, and `...` if there are more
 */
export function stripUnknown(document: JsonObject, type: AnyClass): string[] {
  const stripped: string[] = [];
  stripObject(document, type, [], '', stripped);
  return stripped;
}

function stripObject(
  object: JsonObject,
  type: AnyClass,
  allowed: readonly string[],
  path: string,
  stripped: string[],
): void {
  const byName = new Map<string, PropertyMetadata>();
  for (const property of propertiesOf(type).values()) {
    if (property.isValidated) for (const name of property.jsonNames) byName.set(name, property);
  }
  for (const [name, value] of Object.entries(object)) {
    const property = byName.get(name);
    if (property) {
      if (property.isNested && !property.isTransformed) {
        stripNested(value, property, propertyPath(path, name), stripped);
      }
    } else if (!allowed.includes(name)) {
      Reflect.deleteProperty(object, name);
      if (stripped.length < MAX_PATHS) stripped.push(propertyPath(path, name));
      else if (stripped.length === MAX_PATHS) stripped.push('...');
    }
  }
}

function stripNested(value: unknown, property: PropertyMetadata, path: string, stripped: string[]): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      stripNested(item, property, itemPath(path, index), stripped);
    });
  } else if (isJsonObject(value)) {
    if (property.designType === Map) {
      for (const [name, item] of Object.entries(value)) stripItem(item, property, propertyPath(path, name), stripped);
    } else {
      stripItem(value, property, path, stripped);
    }
  }
}

function stripItem(value: unknown, property: PropertyMetadata, path: string, stripped: string[]): void {
  if (!isJsonObject(value)) return;
  const { discriminator, itemType } = property;
  const subType = discriminator?.subTypes.find(({ name }) => name === value[discriminator.property])?.value;
  const type: unknown = subType ?? itemType;
  if (isConstrained(type)) stripObject(value, type, discriminator ? [discriminator.property] : [], path, stripped);
}
