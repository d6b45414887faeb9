import { readFileSync } from 'node:fs';
import { itemPath, propertyPath } from '../../../lib/dto/property-path.js';

/** Violations that docs/configuration.md lists as stricter than class-validator: the only list of them. */
export const STRICTER: ReadonlySet<string> = new Set(
  readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
    .split(/^## /m)
    .filter((section) => section.startsWith('Stricter than class-validator'))
    .flatMap((section) => Array.from(section.matchAll(/^\| `(\w+)`/gm), ([, code = '']) => code)),
);

/** Returns `path: code` of the violations of a document, whatever its class is. */
export function documentViolations(text: string): string[] {
  const violations: string[] = [];
  const add = (path: string, code: string): void => {
    if (STRICTER.has(code)) violations.push(`${path}: ${code}`);
  };
  visitValues(JSON.parse(text), '', (value, path) => {
    if (typeof value === 'number' && !Number.isFinite(value)) add(path, 'finite');
    if (value === FORBIDDEN) add(path, 'forbiddenKey');
  });
  visitValues(JSON.parse(text.replace(LONG_INTEGER, '"integer $&"')), '', (value, path) => {
    if (typeof value === 'string' && value.startsWith('integer ')) add(path, 'safeInteger');
  });
  if (violations.length === 0 && text.startsWith('{"twice":1,"twice":2')) add('', 'duplicateKey');
  return violations;
}

/** Returns the violations of keys that class-transformer does not copy into a Map. */
export function droppedKeys(source: unknown, path: string): string[] {
  if (!STRICTER.has('forbiddenKey') || typeof source !== 'object' || source === null) return [];
  const keys = Object.keys(source).filter((key) => key in Map.prototype);
  return keys.map((key) => `${propertyPath(path, key)}: forbiddenKey`);
}

/** Returns the violation of a nested value that does not have the declared container. */
export function containerViolation(
  value: object,
  designType: unknown,
  isClass: (type: unknown) => boolean,
): string | undefined {
  const expected = [Array, Set].includes(designType as never) ? 'isArray' : 'nestedValidation';
  const isRight =
    designType === Array || designType === Set || designType === Map
      ? value instanceof (designType as typeof Array)
      : !(Array.isArray(value) && isClass(designType));
  return isRight || !STRICTER.has(expected) ? undefined : expected;
}

/** An integer of the generator that is outside of the safe range. */
const LONG_INTEGER = /(?<=[:,[])-?900719925474099\d(?=[,\]}])/g;

const FORBIDDEN = Symbol('a forbidden name');

function visitValues(value: unknown, path: string, visit: (value: unknown, path: string) => void): void {
  visit(value, path);
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      visitValues(item, itemPath(path, index), visit);
    });
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      const at = propertyPath(path, name);
      if (name === '__proto__' || name === 'prototype' || name in {}) visit(FORBIDDEN, at);
      else visitValues(item, at, visit);
    }
  }
}
