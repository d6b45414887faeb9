import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from '../dto/json-object.js';
import { itemPath, propertyPath } from '../dto/property-path.js';
import { partOf, type ShownPart } from '../dto/secrets/restore-masked.js';

/** A changed part of a document, with `***` in the place of secrets. */
export interface DocumentChange {
  readonly path: string;
  /** Absent if the part was added. */
  readonly before?: unknown;
  /** Absent if the part was removed. */
  readonly after?: unknown;
}

/**
 * Returns the smallest parts that differ. The documents in etcd decide, so that a changed secret is listed, with `***` on
 * both sides.
 */
export function changesBetween(before: ShownPart, after: ShownPart): DocumentChange[] {
  const changes: DocumentChange[] = [];
  compare(before, after, '', changes);
  return changes.slice(0, MAX_CHANGES);
}

const MAX_CHANGES = 1_000;

function compare(before: ShownPart, after: ShownPart, path: string, changes: DocumentChange[]): void {
  if (changes.length > MAX_CHANGES || isDeepStrictEqual(before.plain, after.plain)) return;
  const sides = [before, after];
  if (sides.every(({ masked }) => isJsonObject(masked))) {
    const names = new Set(sides.flatMap(({ plain }) => Object.keys(plain as object)));
    for (const name of names) compare(partOf(before, name), partOf(after, name), propertyPath(path, name), changes);
  } else if (sides.every(({ masked }) => Array.isArray(masked)) && lengthOf(before) === lengthOf(after)) {
    for (let index = 0; index < lengthOf(after); index += 1) {
      compare(partOf(before, index), partOf(after, index), itemPath(path, index), changes);
    }
  } else {
    changes.push({ path, before: before.masked, after: after.masked });
  }
}

const lengthOf = ({ plain }: ShownPart): number => (plain as readonly unknown[]).length;
