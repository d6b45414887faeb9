import { isDeepStrictEqual } from 'node:util';
import { andThen } from '../timing/and-then.js';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { laidOver } from './document-overlay.js';
import type { ParseResult } from './dto-parser.js';
import type { DocumentBytes } from './formats/document-bytes.js';
import type { JsonObject } from './json-object.js';
import { plainDocument, type WrittenForm } from './plain-document.js';
import type { ValueParser } from './value-parser.js';
import { readDocument } from './formats/document-reader.js';
import { type ReplacedDocument, restoreReferences } from './references/restore-references.js';
import { maskedPathsOf } from './secrets/conceal.js';
import { ViolationList } from './violation-list.js';

/** Bytes and the value that a reader parses from them; or violations, which contain names but never values. */
export type SerializeResult<T> =
  | { readonly ok: true; readonly bytes: Buffer; readonly value: T; readonly stripped: readonly string[] }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** A document, or the reasons why a value cannot be one. */
export type DocumentOutcome =
  | { readonly ok: true; readonly document: JsonObject }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** Serializes an instance or a plain object, and then parses the bytes with the parser of the readers. */
export class DtoSerializer<T extends object> {
  constructor(private readonly parser: ValueParser<T>) {}

  /**
   * Serializes an instance of a class with class-transformer, and any other object by its form. Secrets of references
   * become the references again, as in the document `replaced`. Never throws or rejects. Returns a promise only if a
   * validator or the codec is asynchronous, or the definition has references.
   */
  serialize(
    value: unknown,
    form: WrittenForm = 'document',
    replaced?: DocumentBytes,
  ): SerializeResult<T> | Promise<SerializeResult<T>> {
    const violations = new ViolationList();
    const document = this.#documentOf(value, form, violations);
    if (!document) return { ok: false, violations: violations.toArray() };
    return this.parser.references ? this.#writeReferences(document, replaced) : this.#write(document);
  }

  /**
   * Serializes a value in the form of the class, and adds the properties of the document `head` that the class or the
   * schema does not know. Does not add them if the value that readers parse would change. Never rejects.
   */
  async serializeOver(value: unknown, head: DocumentBytes): Promise<SerializeResult<T>> {
    const violations = new ViolationList();
    const document = this.#documentOf(value, 'class', violations);
    if (!document) return { ok: false, violations: violations.toArray() };
    const refused = await this.#restore(document, head);
    if (refused) return refused;
    const replaced = await this.#write(document);
    const headDocument = replaced.ok && (await this.parser.headDocumentOf(head));
    if (!headDocument) return replaced;
    const whole = laidOver(document, headDocument);
    if (whole === document) return replaced;
    const written = await this.#write(whole);
    return written.ok && !isDeepStrictEqual(written.value, replaced.value) ? replaced : written;
  }

  /**
   * Converts a value to a document, without a check by the class or schema. Secrets of references become the references
   * again. Never throws.
   */
  documentOf(value: unknown, form: WrittenForm): DocumentOutcome {
    const violations = new ViolationList();
    const given = this.#documentOf(value, form, violations);
    if (!given) return { ok: false, violations: violations.toArray() };
    // Properties that are undefined are left out.
    const document = JSON.parse(JSON.stringify(given)) as JsonObject;
    const { references } = this.parser;
    if (references) restoreReferences(document, undefined, references, violations);
    return violations.isEmpty() ? { ok: true, document } : { ok: false, violations: violations.toArray() };
  }

  async #writeReferences(document: JsonObject, replaced: DocumentBytes | undefined): Promise<SerializeResult<T>> {
    return (await this.#restore(document, replaced)) ?? this.#write(document);
  }

  /** Replaces secrets by their references in the document itself. Returns the violations, if there are any. */
  async #restore(document: JsonObject, bytes: DocumentBytes | undefined): Promise<SerializeResult<T> | undefined> {
    const { references } = this.parser;
    if (!references) return undefined;
    const violations = new ViolationList();
    restoreReferences(
      document,
      bytes === undefined ? undefined : await this.#replacedDocument(bytes),
      references,
      violations,
    );
    return violations.isEmpty() ? undefined : { ok: false, violations: violations.toArray() };
  }

  async #replacedDocument(bytes: DocumentBytes): Promise<ReplacedDocument | undefined> {
    const { format, limits } = this.parser;
    const [document, parsed] = [await readDocument(bytes, format, limits), await this.parser.parse(bytes)];
    if (!document.ok) return undefined;
    const seen = parsed.ok ? this.#documentOf(parsed.value, 'class', new ViolationList()) : undefined;
    return { document: document.value, seen };
  }

  #documentOf(value: unknown, form: WrittenForm, violations: ViolationList): JsonObject | undefined {
    const { limits } = this.parser;
    return plainDocument(value, violations, { limits, plainOf: (part) => this.parser.plainOf(part, form) });
  }

  #write(document: JsonObject): SerializeResult<T> | Promise<SerializeResult<T>> {
    return andThen(this.parser.format.write(document), (bytes) =>
      Buffer.isBuffer(bytes)
        ? andThen(this.parser.parse(bytes), (parsed) => withBytes(parsed, bytes, this.parser.references !== undefined))
        : { ok: false, violations: bytes.violations },
    );
  }
}

/** The violation `masked`: a secret would be replaced by its mask. */
function withBytes<T extends object>(
  result: ParseResult<T>,
  bytes: Buffer,
  hasReferences: boolean,
): SerializeResult<T> {
  if (!result.ok) return result;
  const violations = new ViolationList();
  for (const path of maskedPathsOf(result.value, hasReferences)) violations.add(path, 'masked');
  return violations.isEmpty() ? { ...result, bytes } : { ok: false, violations: violations.toArray() };
}
