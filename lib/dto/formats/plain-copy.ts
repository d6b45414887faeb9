import { MAX_BYTES, MAX_DEPTH } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';
import { ViolationList } from '../violation-list.js';
import type { DecodedDocument } from './document-format.js';
import { failed } from './document-text.js';

/**
 * A tree of plain data, as JSON would hold it: what is named twice is there twice, what is not plain is the violation `plain`, and what is larger than any
 * JSON within our limits the violation `size`. Levels beyond the limit are left empty, for the guard to find.
 */
export function plainCopy(value: unknown): DecodedDocument {
  const violations = new ViolationList();
  let left = MAX_VALUES;
  const copied = copyOf(value, '', 1);
  if (left < 0) return failed('size');
  return violations.isEmpty() ? { ok: true, value: copied } : { ok: false, violations: violations.toArray() };

  function copyOf(part: unknown, path: string, depth: number): unknown {
    left -= 1;
    if (left < 0 || part === null || PLAIN.has(typeof part)) return part;
    if (Array.isArray(part)) {
      if (depth > MAX_DEPTH) return [];
      return Array.from(part as unknown[], (item, index) => copyOf(item, itemPath(path, index), depth + 1));
    }
    if (!isPlainObject(part)) {
      violations.add(path, 'plain');
      return undefined;
    }
    const copy = {};
    if (depth > MAX_DEPTH) return copy;
    for (const [name, item] of Object.entries(part)) {
      if (item === undefined) continue;
      const given = copyOf(item, propertyPath(path, name), depth + 1);
      Object.defineProperty(copy, name, { value: given, enumerable: true, configurable: true, writable: true });
    }
    return copy;
  }
}

/** No JSON within our limits holds more values: each takes a byte and a comma. */
const MAX_VALUES = MAX_BYTES / 2;

const PLAIN: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
