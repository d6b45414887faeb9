import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { JsonObject } from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';

/**
 * Converts between the bytes of a configuration and its document. Both methods may return a promise, which must settle
 * within 5 seconds. An error that they throw, or reject with, is the violation `codec`; its message is never reported.
 */
export interface ConfigCodec {
  /** Returns an object of plain data: values that JSON can represent. */
  decode(bytes: Buffer): object | PromiseLike<object>;
  /** Returns bytes that `decode` can read. */
  encode(document: object): Uint8Array | PromiseLike<Uint8Array>;
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

/** The bytes of a document, or violations for one that the format cannot represent. */
export type EncodedDocument = Buffer | { readonly violations: readonly ConfigViolation[] };

/**
 * A codec that never throws or rejects, and never reports values. `read` returns a new tree of plain data. Only the codec
 * of an application returns promises.
 */
export interface DocumentFormat {
  /** True for the codec of an application, which may be slow or asynchronous: each value is decoded once. */
  readonly isCustom?: boolean;
  read(bytes: DocumentBytes): DecodedDocument | Promise<DecodedDocument>;
  write(document: JsonObject): EncodedDocument | Promise<EncodedDocument>;
}
