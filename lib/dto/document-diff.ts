import { isJsonObject } from './json-object.js';
import { itemPath, propertyPath } from './property-path.js';

/**
 * Where two documents differ: the smallest parts that one has and the other has not, or has otherwise, by property path and never by value. Names in
 * the order of `<`, items by index; `''` is the document itself. Empty exactly when they say the same. Either may be `undefined`: not there at all.
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
