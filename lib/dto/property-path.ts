import { escaped } from '../foreign/foreign-text.js';

/**
 * `pool` and `port` become `pool.port`. A name that is not an identifier is quoted, so that no name can break a log
 * line.
 */
export function propertyPath(parent: string, name: string): string {
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) return `${parent}[${escaped(JSON.stringify(name))}]`;
  return parent === '' ? name : `${parent}.${name}`;
}

/** `hosts` and 2 become `hosts[2]`. */
export const itemPath = (parent: string, index: number): string => `${parent}[${index}]`;
