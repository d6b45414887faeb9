import { type AnyClass, isClass, itemTypesOf, propertiesOf } from './class-metadata.js';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';

/**
 * Returns the properties of a class and its nested classes, such as `Pool.size`, whose `@Type()` converts every value to
 * a boolean or a number before it is validated: `Boolean("off")` is true, and `Number("")` is 0.
 */
export function coercedProperties(type: unknown, visited = new Set<AnyClass>()): string[] {
  if (!isClass(type) || visited.has(type)) return [];
  visited.add(type);
  return [...propertiesOf(type).values()].flatMap((property) => {
    const items = itemTypesOf(property);
    const isCoerced = !property.isTransformed && items.some((item) => item === Boolean || item === Number);
    const own = isCoerced ? [`${className(type)}.${printable(property.name)}`] : [];
    return [...own, ...items.flatMap((item) => coercedProperties(item, visited))];
  });
}
