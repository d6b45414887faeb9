import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';
import { MASK } from './mask.js';

/** A document as it is stored, and as it is shown. */
export interface ShownPart {
  readonly plain: unknown;
  readonly masked: unknown;
}

/**
 * Replaces each `***` of a document by the secret that the current document has in its place. A list item keeps its
 * secrets only if the rest of it is unchanged, because an item at the same index may be another one. A `***` without a
 * secret stays.
 */
export function restoreMasked(part: unknown, current: ShownPart): unknown {
  if (part === MASK) return current.masked === MASK ? current.plain : part;
  if (Array.isArray(part)) return restoreItems(part, current);
  if (!isJsonObject(part)) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, restoreMasked(value, partOf(current, name))]),
  );
}

function restoreItems(items: readonly unknown[], { plain, masked }: ShownPart): unknown[] {
  const currentItems: readonly unknown[] = Array.isArray(masked) ? masked : [];
  return items.map((item, index) => {
    if (!containsMask(item)) return item;
    const equal = currentItems.flatMap((each, at) => (isDeepStrictEqual(each, item) ? [at] : []));
    const [only, other] = equal;
    // Items that look equal can be told apart by their index only while no item was added or removed.
    const isSameIndex = items.length === currentItems.length && equal.includes(index);
    const source = isSameIndex ? index : other === undefined ? only : undefined;
    return source === undefined ? item : (plain as readonly unknown[])[source];
  });
}

/**
 * Returns the paths at which a secret that `restoreMasked` has put into a document would be shown, because the class of
 * that part is another one in this document, such as after a change of its discriminator. `masked`: the restored
 * document with its own secrets masked.
 */
export function exposedSecrets(sent: unknown, { plain, masked }: ShownPart, path = ''): string[] {
  if (masked === MASK) return [];
  if (sent === MASK) return plain === MASK ? [] : [path];
  if (typeof sent !== 'object' || sent === null) return [];
  return Object.entries(sent).flatMap(([name, value]) => {
    const at = Array.isArray(sent) ? itemPath(path, Number(name)) : propertyPath(path, name);
    return exposedSecrets(value, partOf({ plain, masked }, name), at);
  });
}

export function containsMask(part: unknown): boolean {
  if (part === MASK) return true;
  return typeof part === 'object' && part !== null && Object.values(part).some(containsMask);
}

/** The part of an object; absent parts are `undefined`. */
export function partOf({ plain, masked }: ShownPart, name: string | number): ShownPart {
  return { plain: own(plain, name), masked: own(masked, name) };
}

const own = (part: unknown, name: string | number): unknown =>
  typeof part === 'object' && part !== null && Object.hasOwn(part, name)
    ? (part as Readonly<Record<string | number, unknown>>)[name]
    : undefined;
