import { isBinaryValue } from './dto-type.js';
import { itemPath, propertyPath } from './property-path.js';

/** The name of a property, or the index of an item. */
export type PartName = string | symbol | number;

/** Visits the data properties of an object, and the contents of a Map or Set; `name` is an index for items. */
export function forEachChild(value: object, visit: (child: unknown, name: PartName) => void): void {
  for (const name of Reflect.ownKeys(value)) {
    const property = Reflect.getOwnPropertyDescriptor(value, name);
    if (property && 'value' in property) visit(property.value, name);
  }
  if (value instanceof Map) {
    for (const [key, item] of value) {
      const name = typeof key === 'string' ? key : '(key)';
      visit(key, name);
      visit(item, name);
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value) visit(item, index++);
  }
}

/** Visits every object of a value once, with its path. Does not visit the contents of buffers and typed arrays. */
export function visitObjects(value: unknown, visit: (object: object, path: string) => void): void {
  const visited = new Set<unknown>();
  const pending: { readonly part: unknown; readonly path: string }[] = [{ part: value, path: '' }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { part, path } = next;
    if (typeof part !== 'object' || part === null || visited.has(part)) continue;
    visited.add(part);
    visit(part, path);
    if (isBinaryValue(part)) continue;
    forEachChild(part, (child, name) => {
      if (typeof child === 'object' && child !== null) pending.push({ part: child, path: partPath(part, path, name) });
    });
  }
}

/** Path of a part of the object at `path`. */
export function partPath(owner: object, path: string, name: PartName): string {
  const isIndex = typeof name === 'number' || (Array.isArray(owner) && /^\d+$/.test(String(name)));
  return isIndex ? itemPath(path, Number(name)) : propertyPath(path, String(name));
}
