import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { itemPath, propertyPath } from '../property-path.js';
import { ViolationList } from '../violation-list.js';
import {
  isForbiddenName,
  isJsonObject,
  type JsonObject,
  MAX_BYTES,
  MAX_DEPTH,
  MAX_PROPERTIES,
} from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';
import type { DocumentFormat } from './document-format.js';
import { rejected } from './document-text.js';
import { JSON_FORMAT } from './json-format.js';

export type DocumentResult =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/**
 * Decodes bytes into an object that is safe to transform. The violations of every format are `size`, `object`, `depth`,
 * `properties`, `forbiddenKey`, `finite`, `safeInteger` and `duplicateKey`; each format adds its own, such as `utf8`
 * and `json`.
 */
export function readDocument(bytes: DocumentBytes, format: DocumentFormat = JSON_FORMAT): DocumentResult {
  if (bytes.length > MAX_BYTES) return rejected('size');
  const decoded = format.read(bytes);
  if (!decoded.ok) return decoded;
  const { value, isUnambiguous, findUnsafeIntegers } = decoded;
  if (!isJsonObject(value)) return rejected('object');
  let members = countMembers(value, 1, Number.MAX_SAFE_INTEGER);
  if (Number.isNaN(members)) {
    const violations = new ViolationList();
    inspect(value, '', 1, violations);
    for (const path of findUnsafeIntegers?.() ?? []) violations.add(path, 'safeInteger');
    if (!violations.isEmpty()) return { ok: false, violations: violations.toArray() };
    members = countMembers(value, 1, Number.MAX_VALUE);
  }
  return isUnambiguous?.(members) === false ? rejected('duplicateKey') : { ok: true, value };
}

const INVALID = Number.NaN;

/**
 * Counts the properties of all objects; returns `INVALID` if anything is wrong, or if a number exceeds the largest one.
 * Only then `inspect` looks for the paths.
 */
function countMembers(value: object, depth: number, largest: number): number {
  if (depth > MAX_DEPTH) return INVALID;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembersOf(item, depth, largest);
    return members;
  }
  let own = 0;
  // Faster than Object.keys(). V8 optimizes hasOwnProperty() in a for-in loop, but not Object.hasOwn().
  for (const name in value) {
    if (!Object.prototype.hasOwnProperty.call(value, name)) continue;
    if (isForbiddenName(name)) return INVALID;
    own += 1;
    members += countMembersOf((value as JsonObject)[name], depth, largest);
  }
  return own > MAX_PROPERTIES ? INVALID : own + members;
}

const countMembersOf = (value: unknown, depth: number, largest: number): number =>
  typeof value === 'number'
    ? Math.abs(value) <= largest
      ? 0
      : INVALID
    : typeof value === 'object' && value !== null
      ? countMembers(value, depth + 1, largest)
      : 0;

function inspect(value: unknown, path: string, depth: number, violations: ViolationList): void {
  // JSON has no Infinity, but JSON.parse reads 1e999 as Infinity.
  if (typeof value === 'number' && !Number.isFinite(value)) violations.add(path, 'finite');
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) {
    violations.add(path, 'depth');
  } else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      inspect(item, itemPath(path, index), depth + 1, violations);
    });
  } else {
    const properties = Object.entries(value);
    if (properties.length > MAX_PROPERTIES) violations.add(path, 'properties');
    for (const [name, item] of properties) {
      const at = propertyPath(path, name);
      if (isForbiddenName(name)) violations.add(at, 'forbiddenKey');
      else inspect(item, at, depth + 1, violations);
    }
  }
}
