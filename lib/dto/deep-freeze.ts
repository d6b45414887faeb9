import { isBinaryValue } from './dto-type.js';
import { itemPath, propertyPath } from './property-path.js';

/**
 * Freezes a value deeply: objects and class instances with their symbol keys, arrays, and the contents of Maps and
 * Sets. The mutators of `Date`, `Map` and `Set` are replaced by functions that throw. Accessors are not called,
 * functions and prototypes are not frozen, and cycles are supported.
 * @returns the paths of values that cannot be frozen (Buffers, typed arrays, array buffers); empty if everything is
 * frozen
 */
export function deepFreeze(value: unknown): readonly string[] {
  const binary: string[] = [];
  const visited = new Set<object>();
  const pending: Located[] = [{ value, path: '' }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (typeof next.value !== 'object' || next.value === null || visited.has(next.value)) continue;
    visited.add(next.value);
    if (isBinaryValue(next.value)) {
      binary.push(next.path);
    } else {
      pending.push(...childrenOf(next.value, next.path));
      freeze(next.value);
    }
  }
  return binary;
}

/** Freezes one object, without its contents. */
export function freeze<T extends object>(value: T): T {
  if (Object.isExtensible(value)) {
    for (const mutator of mutatorsOf(value)) Object.defineProperty(value, mutator, { value: throwFrozen });
  }
  return Object.freeze(value);
}

interface Located {
  readonly value: unknown;
  readonly path: string;
}

function childrenOf(value: object, path: string): Located[] {
  const children: Located[] = [];
  for (const name of Reflect.ownKeys(value)) {
    const property = Reflect.getOwnPropertyDescriptor(value, name);
    if (property && 'value' in property) children.push({ value: property.value, path: pathOf(value, path, name) });
  }
  if (value instanceof Map) {
    for (const [key, item] of value) {
      const at = propertyPath(path, typeof key === 'string' ? key : '(key)');
      children.push({ value: key, path: at }, { value: item, path: at });
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value) children.push({ value: item, path: itemPath(path, index++) });
  }
  return children;
}

function pathOf(owner: object, path: string, name: string | symbol): string {
  if (typeof name === 'symbol') return propertyPath(path, String(name));
  return Array.isArray(owner) && /^\d+$/.test(name) ? itemPath(path, Number(name)) : propertyPath(path, name);
}

function mutatorsOf(value: object): readonly string[] {
  if (value instanceof Date) return DATE_MUTATORS;
  if (value instanceof Map) return ['set', 'delete', 'clear'];
  if (value instanceof Set) return ['add', 'delete', 'clear'];
  return [];
}

const DATE_MUTATORS = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));

function throwFrozen(): never {
  throw new TypeError('this configuration is frozen, because all its readers share it');
}
