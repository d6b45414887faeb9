import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { itemPath, propertyPath } from '../property-path.js';
import { ViolationList } from '../violation-list.js';
import { isJsonObject, type JsonObject, MAX_BYTES, MAX_DEPTH, MAX_PROPERTIES } from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';
import type { DocumentFormat } from './document-format.js';
import { failed } from './document-text.js';
import { JSON_FORMAT } from './json-format.js';

export type DocumentResult =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/**
 * Bytes to a JSON object that is safe to hand on. `size`, `object`, `depth`, `properties`, `forbiddenKey`, `finite` and `duplicateKey` name what is not, whatever
 * the format; beside them the format's own, as `utf8` and `json`.
 */
export function readDocument(bytes: DocumentBytes, format: DocumentFormat = JSON_FORMAT): DocumentResult {
  if (bytes.length > MAX_BYTES) return failed('size');
  const decoded = format.read(bytes);
  if (!decoded.ok) return decoded;
  const { value, isUnambiguous } = decoded;
  if (!isJsonObject(value)) return failed('object');
  const members = soundMembers(value, 1);
  if (Number.isNaN(members)) {
    const violations = new ViolationList();
    inspect(value, '', 1, violations);
    return { ok: false, violations: violations.toArray() };
  }
  return isUnambiguous?.(members) === false ? failed('duplicateKey') : { ok: true, value };
}

const UNSOUND = Number.NaN;

/** Properties of all objects in it, `UNSOUND` where something is wrong. Most documents are sound; only for the others it pays to know where they are not. */
function soundMembers(value: object, depth: number): number {
  if (depth > MAX_DEPTH) return UNSOUND;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += soundMembersOf(item, depth);
    return members;
  }
  let own = 0;
  // Half the time of Object.keys(); and of Object.hasOwn() V8 does not know that it is true of the names of such a loop.
  for (const name in value) {
    if (!Object.prototype.hasOwnProperty.call(value, name)) continue;
    if (isForbidden(name)) return UNSOUND;
    own += 1;
    members += soundMembersOf((value as JsonObject)[name], depth);
  }
  return own > MAX_PROPERTIES ? UNSOUND : own + members;
}

const soundMembersOf = (value: unknown, depth: number): number =>
  typeof value === 'number'
    ? Number.isFinite(value)
      ? 0
      : UNSOUND
    : typeof value === 'object' && value !== null
      ? soundMembers(value, depth + 1)
      : 0;

function inspect(value: unknown, path: string, depth: number, violations: ViolationList): void {
  // JSON has no Infinity, but 1e999 becomes one.
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
      if (isForbidden(name)) violations.add(at, 'forbiddenKey');
      else inspect(item, at, depth + 1, violations);
    }
  }
}

const isForbidden = (name: string): boolean => name === '__proto__' || name === 'constructor' || name === 'prototype';
