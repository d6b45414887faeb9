import { DtoParser, type DtoParserOptions, type ParseResult } from './dto-parser.js';
import type { DocumentLimits } from './document-limits.js';
import type { DocumentBytes } from './formats/document-bytes.js';
import type { DocumentFormat } from './formats/document-format.js';
import type { HeadDocument } from './document-overlay.js';
import type { WrittenForm } from './plain-document.js';
import type { ReferenceResolver } from './references/reference-resolver.js';
import type { JsonObject } from './json-object.js';
import type { ParsedValue } from './kept-document.js';
import { SchemaParser } from './schema-parser.js';
import { isStandardSchema } from './standard-schema.js';
import type { ValueType } from './value-type.js';

/** Parses bytes into validated, frozen values of one class or schema. */
export interface ValueParser<T extends object> {
  readonly type: ValueType<T>;
  readonly format: DocumentFormat;
  readonly limits: DocumentLimits;
  readonly references: ReferenceResolver | undefined;
  /** Never throws or rejects. Returns a promise only if a validator or the codec is asynchronous. */
  parse(bytes: DocumentBytes): ParseResult<T> | Promise<ParseResult<T>>;
  /** Returns the document that a valid value was parsed from, without its unknown properties. */
  documentOf(parsed: ParsedValue): JsonObject | undefined;
  /** Returns a document and its known part; `undefined` if there is no part that can be unknown. */
  headDocumentOf(bytes: DocumentBytes): HeadDocument | undefined | Promise<HeadDocument | undefined>;
  /** Converts a value that is written to plain data. */
  plainOf(value: object, form: WrittenForm): unknown;
}

export const valueParserOf = <T extends object>(type: ValueType<T>, options: DtoParserOptions): ValueParser<T> =>
  isStandardSchema(type) ? new SchemaParser<T>(type, options) : new DtoParser<T>(type, options);
