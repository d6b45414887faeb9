import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { JsonObject } from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';

/** How the bytes of a configuration are a document, in both directions. What it throws is never quoted. */
export interface ConfigCodec {
  /** An object of plain data: what JSON could hold. */
  decode(bytes: Buffer): object;
  /** Bytes that `decode` reads again. */
  encode(document: object): Uint8Array;
}

/** `'json'`, `'text'` (the whole text is the property `value`), `'yaml'` (with the package `yaml`), or one of your own. */
export type CodecChoice = 'json' | 'text' | 'yaml' | ConfigCodec;

/** What bytes say before anything is known of it, or what is wrong with them: names only. */
export type DecodedDocument =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** Whether the bytes name each of the document's properties once, given how many it has; of two with one name it has lost one. */
      readonly isUnambiguous?: (members: number) => boolean;
    }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** A codec that neither throws nor quotes. What it reads is a tree of plain data of its own. */
export interface DocumentFormat {
  read(bytes: DocumentBytes): DecodedDocument;
  /** `undefined` and a violation for what it cannot write. */
  write(document: JsonObject): Buffer | { readonly violations: readonly ConfigViolation[] };
}
