import { isJsonObject } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';

/**
 * Returns the property paths of the smallest parts that were added, removed or replaced; never their values. Names are
 * sorted by `<`, items by index; `''` is the document itself. The list is empty only if both documents are equal.
 * `undefined` stands for an absent document.
 */
export function changedPaths(before: unknown, after: unknown): string[] {
  const changed: string[] = [];
  compare(before, after, '', changed);
  return changed;
}

function compare(before: unknown, after: unknown, path: string, changed: string[]): void {
  if (Object.is(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    compareItems(before, after, path, changed);
  } else if (isJsonObject(before) && isJsonObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    for (const name of names) compare(before[name], after[name], propertyPath(path, name), changed);
  } else {
    changed.push(path);
  }
}

function compareItems(before: readonly unknown[], after: readonly unknown[], path: string, changed: string[]): void {
  const length = Math.max(before.length, after.length);
  for (let index = 0; index < length; index += 1) compare(before[index], after[index], itemPath(path, index), changed);
}
