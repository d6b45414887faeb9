import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { JsonObject } from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';

/**
 * Converts between the bytes of a configuration and its document. The messages of errors that it throws are never
 * reported.
 */
export interface ConfigCodec {
  /** Returns an object of plain data: values that JSON can represent. */
  decode(bytes: Buffer): object;
  /** Returns bytes that `decode` can read. */
  encode(document: object): Uint8Array;
}

/**
 * `'json'`, `'text'` (the whole text is the property `value`), `'yaml'` (requires the package `yaml`), or a custom
 * codec.
 */
export type CodecChoice = 'json' | 'text' | 'yaml' | ConfigCodec;

/** A decoded value that is not yet checked; or violations, which contain names but never values. */
export type DecodedDocument =
  | {
      readonly ok: true;
      readonly value: unknown;
      /**
       * True if no name occurs twice in an object of the bytes, given the number of properties in the decoded value.
       */
      readonly isUnambiguous?: (members: number) => boolean;
      /** Returns the paths of integers that were rounded. Called only if a number is outside of the safe range. */
      readonly findUnsafeIntegers?: () => readonly string[];
    }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** A codec that never throws and never reports values. `read` returns a new tree of plain data. */
export interface DocumentFormat {
  read(bytes: DocumentBytes): DecodedDocument;
  /** Returns violations for a document that the format cannot represent. */
  write(document: JsonObject): Buffer | { readonly violations: readonly ConfigViolation[] };
}
