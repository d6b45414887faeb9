import { DEFAULT_DOCUMENT_LIMITS } from '../document-limits.js';
import { MAX_DEPTH } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';
import { ViolationList } from '../violation-list.js';
import type { DecodedDocument } from './document-format.js';
import { rejected } from './document-text.js';

/**
 * Copies a value into a tree of plain data. A shared object is copied each time it occurs. A value that is not plain
 * data is the violation `plain`; a tree larger than any JSON document within the limits is the violation `size`. Levels
 * beyond the depth limit stay empty; `readDocument` rejects them.
 *
 * With integers of type `bigint`, those become numbers; one outside of the safe range is the violation `safeInteger`.
 */
export function plainCopy(value: unknown, integers: 'number' | 'bigint' = 'number'): DecodedDocument {
  const violations = new ViolationList();
  let remaining = MAX_VALUES;
  const copied = copyOf(value, '', 1);
  if (remaining < 0) return rejected('size');
  return violations.isEmpty() ? { ok: true, value: copied } : { ok: false, violations: violations.toArray() };

  function copyOf(part: unknown, path: string, depth: number): unknown {
    remaining -= 1;
    if (remaining < 0 || part === null || PLAIN.has(typeof part)) return part;
    if (typeof part === 'bigint' && integers === 'bigint') {
      if (!Number.isSafeInteger(Number(part))) violations.add(path, 'safeInteger');
      return Number(part);
    }
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
      const copied = copyOf(item, propertyPath(path, name), depth + 1);
      Object.defineProperty(copy, name, { value: copied, enumerable: true, configurable: true, writable: true });
    }
    return copy;
  }
}

/** No JSON document within the size limit has more values: each value takes one byte and a comma. */
const MAX_VALUES = DEFAULT_DOCUMENT_LIMITS.documentBytes / 2;

const PLAIN: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
