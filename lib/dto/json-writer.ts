import { isBinaryValue } from './dto-type.js';
import { isForbiddenName, MAX_DEPTH } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';
import type { ViolationList } from './violation-list.js';

/**
 * Adds a violation for every value that cannot be serialized: an object inside itself (`circular`), bytes (`binary`),
 * functions (`serializable`), too many nesting levels (`depth`), names that class-transformer does not copy
 * (`forbiddenKey`), and more than `maxValues` values (`limits.values`), of which no more are visited.
 */
export function findUnserializable(value: unknown, violations: ViolationList, maxValues: number): void {
  const budget = new ValueBudget(maxValues, violations);
  visit(value, '', []);

  function visit(part: unknown, path: string, ancestors: readonly object[]): void {
    if (typeof part === 'function') violations.add(path, 'serializable');
    if (typeof part !== 'object' || part === null) return;
    if (isBinaryValue(part)) violations.add(path, 'binary');
    else if (ancestors.includes(part)) violations.add(path, 'circular');
    else if (ancestors.length >= MAX_DEPTH) violations.add(path, 'depth');
    else if (budget.take(part))
      for (const [name, at, item] of childrenOf(part, path)) {
        if (isForbiddenName(name)) violations.add(at, 'forbiddenKey');
        else visit(item, at, [...ancestors, part]);
      }
  }
}

/**
 * Converts a value to plain JSON data. A value that JSON would drop or turn into `null` is a violation: `finite` for
 * numbers and dates, otherwise `serializable`. So are more than `maxValues` values: `toJSON` methods may make more.
 */
export function toJson(value: unknown, violations: ViolationList, maxValues: number): unknown {
  const budget = new ValueBudget(maxValues, violations);
  return convert(value, '');

  function convert(part: unknown, path: string): unknown {
    if (typeof part === 'number' && !Number.isFinite(part)) violations.add(path, 'finite');
    if (typeof part === 'bigint' || typeof part === 'function' || typeof part === 'symbol')
      violations.add(path, 'serializable');
    if (typeof part !== 'object' || part === null) return part;

    if (isBinaryValue(part)) {
      violations.add(path, 'binary');
    } else if (part instanceof Date && Number.isNaN(part.getTime())) {
      violations.add(path, 'finite');
    } else if ('toJSON' in part && typeof part.toJSON === 'function') {
      return convert((part as { toJSON(): unknown }).toJSON(), path);
    } else if (part instanceof Map || part instanceof Set) {
      violations.add(path, 'serializable');
    } else if (budget.take(part)) {
      return Array.isArray(part)
        ? Array.from(part as unknown[], (item, index) => convertItem(item, itemPath(path, index)))
        : convertObject(part, path);
    }
    return undefined;
  }

  function convertItem(item: unknown, path: string): unknown {
    if (item === undefined) violations.add(path, 'serializable');
    return convert(item, path);
  }

  function convertObject(object: object, path: string): object {
    const json = Object.create(null) as Record<string, unknown>;
    for (const [name, item] of Object.entries(object)) json[name] = convert(item, propertyPath(path, name));
    return json;
  }
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

/** Limits the number of values that are visited, so that a value that contains itself many times ends. */
class ValueBudget {
  #left: number;
  readonly #violations: ViolationList;

  constructor(values: number, violations: ViolationList) {
    this.#left = values;
    this.#violations = violations;
  }

  /** Returns false if the values of the container exceed what is left. */
  take(container: object): boolean {
    if (this.#left < 0) return false;
    this.#left -= sizeOf(container);
    if (this.#left < 0) this.#violations.add('', 'limits.values');
    return this.#left >= 0;
  }
}

function sizeOf(container: object): number {
  if (Array.isArray(container)) return container.length;
  return container instanceof Map || container instanceof Set ? container.size : Object.keys(container).length;
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
