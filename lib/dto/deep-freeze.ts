import { isBinaryValue } from './dto-type.js';
import { forEachChild, visitObjects } from './value-walk.js';

/**
 * Freezes a value deeply: objects and class instances with their symbol keys, arrays, and the contents of Maps and
 * Sets. The mutators of `Date`, `Map` and `Set` are replaced by functions that throw. Accessors are not called,
 * functions and prototypes are not frozen, and cycles are supported.
 * @returns the paths of values that cannot be frozen (Buffers, typed arrays, array buffers); empty if everything is
 * frozen
 */
export function deepFreeze(value: unknown): readonly string[] {
  const visited = new Set<object>();
  const pending: object[] = [];
  let hasBinary = false;
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null || visited.has(part)) return;
    visited.add(part);
    pending.push(part);
  };
  visit(value);
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (isBinaryValue(next)) {
      hasBinary = true;
    } else {
      forEachChild(next, visit);
      freeze(next);
    }
  }
  return hasBinary ? binaryPathsOf(value) : NO_PATHS;
}

/** Freezes one object, without its contents. */
export function freeze<T extends object>(value: T): T {
  if (Object.isExtensible(value)) {
    for (const mutator of mutatorsOf(value)) Object.defineProperty(value, mutator, { value: throwFrozen });
  }
  return Object.freeze(value);
}

const NO_PATHS: readonly string[] = [];

/** Paths are needed only for values that cannot be frozen, so they are created in a second pass. */
function binaryPathsOf(value: unknown): readonly string[] {
  const binary: string[] = [];
  visitObjects(value, (part, path) => {
    if (isBinaryValue(part)) binary.push(path);
  });
  return binary;
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
