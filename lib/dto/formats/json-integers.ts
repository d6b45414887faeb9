import { randomUUID } from 'node:crypto';
import { isForbiddenName, isJsonObject, MAX_DEPTH } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';

/**
 * Returns the paths of the integers that JavaScript would round: numbers without fraction and exponent outside of the
 * safe range. `JSON.parse` does not report how a number was written.
 * @param text valid JSON
 */
export function findUnsafeIntegers(text: string): string[] {
  const marker = randomUUID();
  const paths: string[] = [];
  collect(JSON.parse(replaceUnsafeIntegers(text, () => JSON.stringify(marker))), '', 1);
  return paths;

  function collect(value: unknown, path: string, depth: number): void {
    if (value === marker) paths.push(path);
    else if (depth > MAX_DEPTH) return;
    else if (Array.isArray(value)) {
      value.forEach((item: unknown, index) => {
        collect(item, itemPath(path, index), depth + 1);
      });
    } else if (isJsonObject(value)) {
      for (const [name, item] of Object.entries(value)) {
        // These are a violation whatever their values are.
        if (!isForbiddenName(name)) collect(item, propertyPath(path, name), depth + 1);
      }
    }
  }
}

/** Writes integers outside of the safe range with an exponent, so that a reader takes them for what they are: doubles. */
export const withExponents = (text: string): string =>
  MAY_BE_UNSAFE.test(text) ? replaceUnsafeIntegers(text, (number) => Number(number).toExponential()) : text;

const MAY_BE_UNSAFE = /\d{16}/;

function replaceUnsafeIntegers(text: string, replacement: (number: string) => string): string {
  const parts: string[] = [];
  let copied = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === '"') isInString = !isInString;
    else if (char === '\\') index += 1;
    else if (!isInString) {
      NUMBER.lastIndex = index;
      const [number, fraction] = NUMBER.exec(text) ?? [];
      if (number === undefined) continue;
      if (fraction === undefined && !Number.isSafeInteger(Number(number))) {
        parts.push(text.slice(copied, index), replacement(number));
        copied = index + number.length;
      }
      index += number.length - 1;
    }
  }
  return parts.join('') + text.slice(copied);
}

const NUMBER = /-?\d+([.eE][\d.eE+-]*)?/y;
