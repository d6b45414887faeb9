import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { ParseResult } from './dto-parser.js';
import { plainDocument } from './plain-document.js';
import type { ValueParser } from './value-parser.js';
import { ViolationList } from './violation-list.js';

/** Bytes and the value that a reader parses from them; or violations, which contain names but never values. */
export type SerializeResult<T> =
  | { readonly ok: true; readonly bytes: Buffer; readonly value: T; readonly stripped: readonly string[] }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** Serializes an instance or a plain object, and then parses the bytes with the parser of the readers. */
export class DtoSerializer<T extends object> {
  constructor(private readonly parser: ValueParser<T>) {}

  /**
   * Serializes an instance of a class with class-transformer, and any other object as JSON. Never throws or rejects.
   * Returns a promise only if a validator is asynchronous.
   */
  serialize(value: unknown): SerializeResult<T> | Promise<SerializeResult<T>> {
    const violations = new ViolationList();
    const { limits } = this.parser;
    const document = plainDocument(value, violations, { limits, plainOf: (part) => this.parser.plainOf(part) });
    if (!document) return { ok: false, violations: violations.toArray() };
    const bytes = this.parser.format.write(document);
    if (!Buffer.isBuffer(bytes)) return { ok: false, violations: bytes.violations };
    const result = this.parser.parse(bytes);
    return result instanceof Promise ? result.then((parsed) => withBytes(parsed, bytes)) : withBytes(result, bytes);
  }
}

const withBytes = <T>(result: ParseResult<T>, bytes: Buffer): SerializeResult<T> =>
  result.ok ? { ...result, bytes } : result;
