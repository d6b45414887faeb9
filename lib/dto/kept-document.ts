import type { DocumentBytes } from './formats/document-bytes.js';
import type { JsonObject } from './json-object.js';
import type { Secrets } from './references/reference-resolver.js';

/** A value, and the bytes that it was parsed from. */
export interface ParsedValue {
  readonly value: object | undefined;
  readonly bytes: DocumentBytes | undefined;
}

/** Documents by the values that were parsed from them, where the bytes alone do not give the document again. */
const documents = new WeakMap<object, JsonObject>();

/** Keeps the document of a value: its bytes cannot be decoded, or its references resolved, again without waiting. */
export function keepDocument(value: object, document: JsonObject, secrets?: Secrets): void {
  documents.set(value, document);
  if (secrets && secrets.size > 0) resolved.set(value, secrets);
}

export const keptDocumentOf = (value: object | undefined): JsonObject | undefined => value && documents.get(value);

/** Returns the secrets of the references that a value was parsed with; `undefined` without references. */
export const secretsOf = (value: object | undefined): Secrets | undefined => value && resolved.get(value);

/** Gives a value the secrets of another one that was parsed from an equal document. */
export function copySecrets(from: object, to: object): void {
  const secrets = resolved.get(from);
  if (secrets) resolved.set(to, secrets);
  else resolved.delete(to);
}

const resolved = new WeakMap<object, Secrets>();
