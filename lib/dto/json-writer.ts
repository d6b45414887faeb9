import { isBinaryValue } from './dto-type.js';
import { isForbiddenName, MAX_DEPTH } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';
import type { ViolationList } from './violation-list.js';

/**
 * Adds a violation for every value that cannot be serialized: an object inside itself (`circular`), bytes (`binary`),
 * functions (`serializable`), too many nesting levels (`depth`), and names that class-transformer does not copy
 * (`forbiddenKey`).
 */
export function findUnserializable(value: unknown, violations: ViolationList): void {
  visit(value, '', []);

  function visit(part: unknown, path: string, ancestors: readonly object[]): void {
    if (typeof part === 'function') violations.add(path, 'serializable');
    if (typeof part !== 'object' || part === null) return;
    if (isBinaryValue(part)) violations.add(path, 'binary');
    else if (ancestors.includes(part)) violations.add(path, 'circular');
    else if (ancestors.length >= MAX_DEPTH) violations.add(path, 'depth');
    else
      for (const [name, at, item] of childrenOf(part, path)) {
        if (isForbiddenName(name)) violations.add(at, 'forbiddenKey');
        else visit(item, at, [...ancestors, part]);
      }
  }
}

/**
 * Converts a value to plain JSON data. A value that JSON would drop or turn into `null` is a violation: `finite` for
 * numbers and dates, otherwise `serializable`.
 */
export function toJson(value: unknown, violations: ViolationList, path = ''): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) violations.add(path, 'finite');
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol')
    violations.add(path, 'serializable');
  if (typeof value !== 'object' || value === null) return value;

  if (isBinaryValue(value)) {
    violations.add(path, 'binary');
  } else if (value instanceof Date && Number.isNaN(value.getTime())) {
    violations.add(path, 'finite');
  } else if ('toJSON' in value && typeof value.toJSON === 'function') {
    return toJson((value as { toJSON(): unknown }).toJSON(), violations, path);
  } else if (value instanceof Map || value instanceof Set) {
    violations.add(path, 'serializable');
  } else if (Array.isArray(value)) {
    return Array.from(value as unknown[], (item, index) => itemToJson(item, violations, itemPath(path, index)));
  } else {
    return objectToJson(value, violations, path);
  }
  return undefined;
}

/** Returns a writable deep copy with the same classes. The value must not be circular. */
export function thawed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(thawed);
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [key, thawed(item)]));
  if (value instanceof Set) return new Set(Array.from(value, thawed));
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as object;
  for (const [name, item] of Object.entries(value)) {
    Object.defineProperty(copy, name, { value: thawed(item), writable: true, enumerable: true, configurable: true });
  }
  return copy;
}

function itemToJson(item: unknown, violations: ViolationList, path: string): unknown {
  if (item === undefined) violations.add(path, 'serializable');
  return toJson(item, violations, path);
}

function objectToJson(value: object, violations: ViolationList, path: string): object {
  const json = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) json[name] = toJson(item, violations, propertyPath(path, name));
  return json;
}

function* childrenOf(value: object, path: string): Generator<[name: string, path: string, item: unknown]> {
  if (Array.isArray(value) || value instanceof Set) {
    let index = 0;
    for (const item of value) yield ['', itemPath(path, index++), item];
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      const name = typeof key === 'string' ? key : '(key)';
      yield [name, propertyPath(path, name), item];
    }
  } else {
    for (const [name, item] of Object.entries(value)) yield [name, propertyPath(path, name), item];
  }
}
