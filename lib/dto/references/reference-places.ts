import { isJsonObject, type JsonObject } from '../json-object.js';
import { itemPath, propertyPath } from '../property-path.js';

/** A text in a document. */
export interface TextPlace {
  readonly owner: JsonObject | unknown[];
  readonly name: string | number;
  readonly text: string;
  /** Names and indexes from the document to the text. */
  readonly segments: readonly (string | number)[];
}

/** Returns the texts of a document of plain data that match. */
export function textPlaces(document: JsonObject, matches: (text: string) => boolean): TextPlace[] {
  const places: TextPlace[] = [];
  visit(document, []);
  return places;

  function visit(owner: JsonObject | unknown[], segments: readonly (string | number)[]): void {
    const parts: Iterable<[string | number, unknown]> = Array.isArray(owner) ? owner.entries() : Object.entries(owner);
    for (const [name, part] of parts) visitPart(owner, name, part, segments);
  }

  function visitPart(
    owner: TextPlace['owner'],
    name: string | number,
    part: unknown,
    outer: readonly (string | number)[],
  ): void {
    if (typeof part === 'string') {
      if (matches(part)) places.push({ owner, name, text: part, segments: [...outer, name] });
    } else if (Array.isArray(part) || isJsonObject(part)) {
      visit(part, [...outer, name]);
    }
  }
}

export function replaceText({ owner, name }: TextPlace, text: string): void {
  (owner as Record<string | number, unknown>)[name] = text;
}

/** Returns the part of a document at a place of another document; `undefined` if there is none. */
export function partAt(document: unknown, segments: readonly (string | number)[]): unknown {
  let part = document;
  for (const name of segments) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, name)) return undefined;
    part = (part as Record<string | number, unknown>)[name];
  }
  return part;
}

/** Path of a place for violations. */
export const pathOfPlace = ({ segments }: TextPlace): string =>
  segments.reduce<string>(
    (path, name) => (typeof name === 'number' ? itemPath(path, name) : propertyPath(path, name)),
    '',
  );
