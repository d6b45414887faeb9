/**
 * The bytes of a document: a `Buffer`, or a string with one character per byte (latin1). A string is cheaper to create
 * and to keep, and ASCII JSON is parsed from it directly.
 */
export type DocumentBytes = Buffer | string;

/** Returns a new `Buffer` for a string. */
export const bufferOf = (bytes: DocumentBytes): Buffer =>
  typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;

export const isSameBytes = (a: DocumentBytes, b: DocumentBytes): boolean =>
  typeof a === 'string' && typeof b === 'string' ? a === b : bufferOf(a).equals(bufferOf(b));
