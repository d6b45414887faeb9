import type { DocumentBytes } from './formats/document-bytes.js';
import type { JsonObject } from './json-object.js';

/** A value, and the bytes that it was parsed from. */
export interface ParsedValue {
  readonly value: object | undefined;
  readonly bytes: DocumentBytes | undefined;
}

/** Documents by the values that were parsed from them, where the bytes alone do not give the document again. */
const documents = new WeakMap<object, JsonObject>();

/** Keeps the document of a value: its bytes cannot be decoded again without waiting. */
export function keepDocument(value: object, document: JsonObject): void {
  documents.set(value, document);
}

export const keptDocumentOf = (value: object | undefined): JsonObject | undefined => value && documents.get(value);
