import { DocumentBudget, hasToJson, sizeOf } from './document-budget.js';
import type { DocumentLimits } from './document-limits.js';
import { jsonMethodOf } from './secrets/mask.js';
import { isBinaryValue } from './dto-type.js';
import { isForbiddenName, type JsonObject, MAX_DEPTH, MAX_PROPERTIES } from './json-object.js';
import { ValueContainer } from './value-container.js';
import type { ViolationList } from './violation-list.js';

/**
 * Adds a violation for every value that cannot be serialized: an object inside itself (`circular`), bytes (`binary`),
 * functions (`serializable`), too many nesting levels (`depth`), too many properties of one object (`properties`), names
 * that class-transformer does not copy (`forbiddenKey`), and more than a limit (such as `limits.values`), after which
 * nothing more is visited.
 */
export function findUnserializable(value: object, violations: ViolationList, limits: DocumentLimits): void {
  const budget = new DocumentBudget(limits, violations);
  visitParts(new ValueContainer(value));

  function visitParts(container: ValueContainer): void {
    const { value: parts } = container;
    if (!budget.take(parts)) return;
    if (Array.isArray(parts) || parts instanceof Set) {
      let index = 0;
      for (const item of parts) visit(item, container, index++);
    } else if (parts instanceof Map) {
      for (const [key, item] of parts) visitNamed(item, container, typeof key === 'string' ? key : '(key)');
    } else {
      for (const name of Object.keys(parts)) visitNamed((parts as JsonObject)[name], container, name);
    }
  }

  function visitNamed(part: unknown, container: ValueContainer, name: string): void {
    if (isForbiddenName(name)) violations.add(container.pathOf(name), 'forbiddenKey');
    else visit(part, container, name);
  }

  function visit(part: unknown, container: ValueContainer, segment: string | number): void {
    if (typeof part === 'function') violations.add(container.pathOf(segment), 'serializable');
    if (typeof part !== 'object' || part === null || violations.isFull()) return;
    const violation = violationOf(part, container);
    if (violation === undefined) visitParts(new ValueContainer(part, container, segment));
    else violations.add(container.pathOf(segment), violation);
  }
}

function violationOf(part: object, container: ValueContainer): string | undefined {
  if (isBinaryValue(part)) return 'binary';
  if (container.isWithin(part)) return 'circular';
  if (container.depth >= MAX_DEPTH) return 'depth';
  const isList = Array.isArray(part) || part instanceof Set;
  return isList || hasToJson(part) || sizeOf(part) <= MAX_PROPERTIES ? undefined : 'properties';
}

/**
 * Converts a value to plain JSON data. A value that JSON would drop or turn into `null` is a violation: `finite` for
 * numbers and dates, otherwise `serializable`. The limits count again, because `toJSON` methods may make more.
 */
export function toJson(value: unknown, violations: ViolationList, limits: DocumentLimits): unknown {
  const budget = new DocumentBudget(limits, violations);
  return convert(value, undefined, '');

  function convert(part: unknown, outer: ValueContainer | undefined, segment: string | number): unknown {
    if (typeof part !== 'object' || part === null) {
      const violation = primitiveViolationOf(part);
      if (violation !== undefined) violations.add(pathAt(outer, segment), violation);
      return part;
    }
    if (isBinaryValue(part)) {
      violations.add(pathAt(outer, segment), 'binary');
    } else if (part instanceof Date && Number.isNaN(part.getTime())) {
      violations.add(pathAt(outer, segment), 'finite');
    } else if (hasToJson(part)) {
      return convert(jsonMethodOf(part)?.call(part), outer, segment);
    } else if (part instanceof Map || part instanceof Set) {
      violations.add(pathAt(outer, segment), 'serializable');
    } else if (budget.take(part)) {
      const container = new ValueContainer(part, outer, segment);
      return Array.isArray(part) ? convertList(part, container) : convertObject(part, container);
    }
    return undefined;
  }

  function convertList(list: readonly unknown[], container: ValueContainer): unknown[] {
    return Array.from(list, (item, index) => {
      if (item === undefined) violations.add(container.pathOf(index), 'serializable');
      return convert(item, container, index);
    });
  }

  function convertObject(object: object, container: ValueContainer): object {
    const json: JsonObject = {};
    for (const name of Object.keys(object)) {
      // An assignment to `__proto__` would set the prototype; the reader rejects the name.
      if (isForbiddenName(name)) violations.add(container.pathOf(name), 'forbiddenKey');
      else json[name] = convert((object as JsonObject)[name], container, name);
    }
    return json;
  }
}

const pathAt = (outer: ValueContainer | undefined, segment: string | number): string =>
  outer ? outer.pathOf(segment) : '';

function primitiveViolationOf(part: unknown): string | undefined {
  if (typeof part === 'number' && !Number.isFinite(part)) return 'finite';
  return typeof part === 'bigint' || typeof part === 'function' || typeof part === 'symbol'
    ? 'serializable'
    : undefined;
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
