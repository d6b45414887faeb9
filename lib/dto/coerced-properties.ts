import { type AnyClass, isClass, itemTypesOf, propertiesOf } from './class-metadata.js';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';

/**
 * Returns the properties of a class and its nested classes, such as `Pool.size`, whose `@Type()` converts every value to
 * a boolean, a number or a date before it is validated: `Boolean("off")` is true, `Number("")` is 0, and 30 February is 2
 * March. The decorator is added: `Pool.size has @Type(() => Number)`.
 */
export function coercedProperties(type: unknown, visited = new Set<AnyClass>()): string[] {
  if (!isClass(type) || visited.has(type)) return [];
  visited.add(type);
  return [...propertiesOf(type).values()].flatMap((property) => {
    const items = itemTypesOf(property);
    const coercing = property.isTransformed ? [] : items.filter((item) => COERCING.includes(item));
    const own = coercing.map(
      (item) => `${className(type)}.${printable(property.name)} has @Type(() => ${className(item)})`,
    );
    return [...own, ...items.flatMap((item) => coercedProperties(item, visited))];
  });
}

const COERCING: readonly unknown[] = [Boolean, Number, Date];
