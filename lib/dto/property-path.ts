import { escaped } from '../foreign/foreign-text.js';

/** Longest path, in characters. A longer one is cut and ends with `...`. */
const MAX_LENGTH = 400;

/**
 * `pool` and `port` become `pool.port`. A name that is not an identifier is quoted, so that no name can break a log
 * line. A path that was cut names all properties below it.
 */
export function propertyPath(parent: string, name: string): string {
  if (isCut(parent)) return parent;
  const shown = startOf(name);
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(shown))
    return cut(`${parent}[${escaped(JSON.stringify(shown))}]`, name);
  return cut(parent === '' ? shown : `${parent}.${shown}`, name);
}

/** `hosts` and 2 become `hosts[2]`. */
export const itemPath = (parent: string, index: number): string =>
  isCut(parent) ? parent : cut(`${parent}[${index}]`);

/** True for a path that was too long. It may stand for several properties. */
export const isCut = (path: string): boolean => path.length > MAX_LENGTH;

const cut = (path: string, name = ''): string =>
  path.length <= MAX_LENGTH && name.length <= MAX_LENGTH ? path : `${startOf(path)}...`;

/** Never cuts a surrogate pair in two. */
const startOf = (text: string): string =>
  text.length <= MAX_LENGTH ? text : text.slice(0, MAX_LENGTH).replace(/[\ud800-\udbff]$/, '');
