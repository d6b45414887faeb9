import { instanceToPlain } from 'class-transformer';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { usesDiscriminator } from './class-metadata.js';
import type { DtoParser, ParseResult } from './dto-parser.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { findUnserializable, thawed, toJson } from './json-writer.js';
import { ViolationList } from './violation-list.js';

/** Bytes that can be read again, with what a reader will get; or what is wrong, names only. */
export type SerializeResult<T> =
  | { readonly ok: true; readonly bytes: Buffer; readonly value: T; readonly stripped: readonly string[] }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** An instance or a plain object to bytes, which then pass the very parser that reads use. */
export class DtoSerializer<T extends object> {
  constructor(private readonly parser: DtoParser<T>) {}

  /**
   * An instance of the class is written as class-transformer's decorators say; any other object as the JSON it is. Never throws or
   * rejects. Synchronous unless a validator of the class is not.
   */
  serialize(value: unknown): SerializeResult<T> | Promise<SerializeResult<T>> {
    const violations = new ViolationList();
    const document = this.#documentOf(value, violations);
    if (!document) return { ok: false, violations: violations.toArray() };
    const bytes = this.parser.format.write(document);
    if (!Buffer.isBuffer(bytes)) return { ok: false, violations: bytes.violations };
    const result = this.parser.parse(bytes);
    return result instanceof Promise ? result.then((late) => withBytes(late, bytes)) : withBytes(result, bytes);
  }

  #documentOf(value: unknown, violations: ViolationList): JsonObject | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      violations.add('', 'object');
      return undefined;
    }
    try {
      findUnserializable(value, violations);
      if (!violations.isEmpty()) return undefined;
      const json = toJson(this.#plainOf(value), violations);
      if (violations.isEmpty() && !isJsonObject(json)) violations.add('', 'object');
      return violations.isEmpty() ? (json as JsonObject) : undefined;
    } catch {
      violations.add('', 'transform');
      return undefined;
    }
  }

  #plainOf(value: object): unknown {
    if (!(value instanceof this.parser.type)) return value;
    // class-transformer writes the discriminator into its source, which may be frozen.
    return instanceToPlain(usesDiscriminator(this.parser.type) ? thawed(value) : value);
  }
}

const withBytes = <T>(result: ParseResult<T>, bytes: Buffer): SerializeResult<T> =>
  result.ok ? { ...result, bytes } : result;
