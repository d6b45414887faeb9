import { DEFAULT_DOCUMENT_LIMITS, type DocumentLimits } from './document-limits.js';
import { JSON_FORMAT } from './formats/json-format.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { findUnserializable, toJson } from './json-writer.js';
import type { ViolationList } from './violation-list.js';

/**
 * Meaning of an object that is not an instance of the class. `document`: it has the property names and the format of
 * the document. `class`: it has the properties of the class, such as `{ ...instance }`.
 */
export type WrittenForm = 'document' | 'class';

export interface PlainDocumentOptions {
  readonly limits: DocumentLimits;
  /** Converts instances to plain objects before the document is made. @default the value itself */
  readonly plainOf?: (value: object) => unknown;
}

/** Converts a value to a document of plain JSON data; `undefined` if there are violations. Never throws. */
export function plainDocument(
  value: unknown,
  violations: ViolationList,
  { limits, plainOf = (part) => part }: PlainDocumentOptions,
): JsonObject | undefined {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      violations.add('', 'object');
      return undefined;
    }
    findUnserializable(value, violations, limits);
    if (!violations.isEmpty()) return undefined;
    const json = toJson(plainOf(value), violations, limits);
    if (violations.isEmpty() && !isJsonObject(json)) violations.add('', 'object');
    return violations.isEmpty() ? (json as JsonObject) : undefined;
  } catch {
    violations.add('', 'transform');
    return undefined;
  }
}

/** Serializes a value that has no class with rules as JSON; `undefined` if there are violations. Never throws. */
export function plainBytes(value: unknown, violations: ViolationList): Buffer | undefined {
  const document = plainDocument(value, violations, { limits: DEFAULT_DOCUMENT_LIMITS });
  return document && JSON_FORMAT.write(document);
}
