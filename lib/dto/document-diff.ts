import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from './json-object.js';
import { isCut, itemPath, propertyPath } from './property-path.js';

/** Number of paths that are listed. */
const MAX_PATHS = 1_000;

/** Number of paths that are listed inside of one array. */
const MAX_ITEM_PATHS = 100;

/**
 * Returns the property paths of the smallest parts that were added, removed or replaced; never their values. Names are
 * sorted by `<`, items by index; `''` is the document itself. The list is empty only if both documents are equal.
 * `undefined` stands for an absent document. A part whose path is too long counts as a change of the part around it,
 * more than 100 parts inside of an array count as a change of the array, as after an insertion at its beginning, and more
 * than 1,000 parts count as a change of the document.
 */
export function changedPaths(before: unknown, after: unknown): string[] {
  const changed: string[] = [];
  compare(before, after, '', changed);
  return changed.length > MAX_PATHS ? [''] : changed;
}

function compare(before: unknown, after: unknown, path: string, changed: string[]): void {
  if (Object.is(before, after) || changed.length > MAX_PATHS) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    compareItems(before, after, path, changed);
  } else if (isJsonObject(before) && isJsonObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    for (const name of names) compareParts(before[name], after[name], path, propertyPath(path, name), changed);
  } else {
    changed.push(path);
  }
}

function compareItems(before: readonly unknown[], after: readonly unknown[], path: string, changed: string[]): void {
  const length = Math.max(before.length, after.length);
  const start = changed.length;
  for (let index = 0; index < length; index += 1) {
    compareParts(before[index], after[index], path, itemPath(path, index), changed);
    if (changed.length - start > MAX_ITEM_PATHS) {
      changed.splice(start, Infinity, path);
      return;
    }
  }
}

/** Compares one property or item of the object or array at `path`. */
function compareParts(before: unknown, after: unknown, path: string, at: string, changed: string[]): void {
  if (!isCut(at)) {
    compare(before, after, at, changed);
  } else if (!changed.includes(path) && !isDeepStrictEqual(before, after)) {
    changed.push(path);
  }
}
