import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { compileClass, type CompiledClass } from './compiled-class.js';
import type { DocumentBytes } from './formats/document-bytes.js';
import { formatOf } from './formats/codecs.js';
import type { CodecChoice, DocumentFormat } from './formats/document-format.js';
import { deepFreeze } from './deep-freeze.js';
import { validateInstance } from './dto-validator.js';
import type { JsonObject } from './json-object.js';
import { readDocument } from './formats/document-reader.js';
import { stripUnknown } from './unknown-properties.js';
import { ViolationList } from './violation-list.js';

/** A valid document, or what is wrong with it: names only, never a value. */
export type ParseResult<T> =
  | {
      readonly ok: true;
      /** Deeply frozen. */
      readonly value: T;
      /** Paths of properties that the class does not know; they are not in `value`. */
      readonly stripped: readonly string[];
    }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

export interface DtoParserOptions {
  /**
   * What happens to properties that the class does not know.
   * @default 'strip'
   */
  readonly unknown?: 'strip' | 'refuse';
  /**
   * Milliseconds that async validators have, all together.
   * @default 5_000
   */
  readonly asyncTimeoutMs?: number;
  /**
   * How bytes are a document.
   * @default 'json'
   */
  readonly codec?: CodecChoice;
}

/** The one guard of a class: bytes to a validated, frozen instance, the same for what is read, what changes and what is to be written. */
export class DtoParser<T extends object> {
  readonly format: DocumentFormat;
  readonly #unknown: 'strip' | 'refuse';
  readonly #asyncTimeoutMs: number;
  /** Made at the first document: decorators of classes that refer to each other have all run by then. */
  #compiled: CompiledClass | 'none' | undefined;

  constructor(
    readonly type: Type<T>,
    { unknown = 'strip', asyncTimeoutMs = 5_000, codec = 'json' }: DtoParserOptions = {},
  ) {
    this.format = formatOf(codec);
    this.#unknown = unknown;
    this.#asyncTimeoutMs = asyncTimeoutMs;
  }

  /** Never throws or rejects. Synchronous unless a validator of the class is not. */
  parse(bytes: DocumentBytes): ParseResult<T> | Promise<ParseResult<T>> {
    const document = readDocument(bytes, this.format);
    if (!document.ok) return document;

    const quick = this.#quick(document.value);
    if (quick) return { ok: true, value: quick, stripped: NOTHING };

    const stripped = stripUnknown(document.value, this.type);
    const unknown = this.#unknown === 'refuse' ? stripped : [];
    let instance: T;
    try {
      instance = plainToInstance(this.type, document.value);
    } catch {
      return refused(unknown, 'transform');
    }
    const violations = validateInstance(instance, this.#asyncTimeoutMs);
    return violations instanceof Promise
      ? violations.then((late) => verdict(instance, stripped, unknown, late))
      : verdict(instance, stripped, unknown, violations);
  }

  /** What the bytes of a valid document say, without what the class does not know. */
  documentOf(bytes: DocumentBytes): JsonObject | undefined {
    const document = readDocument(bytes, this.format);
    if (!document.ok) return undefined;
    stripUnknown(document.value, this.type);
    return document.value;
  }

  #quick(document: JsonObject): T | undefined {
    this.#compiled ??= compileClass(this.type) ?? 'none';
    if (this.#compiled === 'none') return undefined;
    try {
      return this.#compiled(document) as T | undefined;
    } catch {
      // Whatever threw will throw again, and is then reported where it belongs.
      return undefined;
    }
  }
}

const NOTHING: readonly string[] = [];

function verdict<T extends object>(
  instance: T,
  stripped: readonly string[],
  unknown: readonly string[],
  violations: ViolationList,
): ParseResult<T> {
  for (const path of unknown) violations.add(path, 'unknown');
  if (!violations.isEmpty()) return { ok: false, violations: violations.toArray() };
  try {
    for (const path of deepFreeze(instance)) violations.add(path, 'binary');
  } catch {
    violations.add('', 'freeze');
  }
  return violations.isEmpty()
    ? { ok: true, value: instance, stripped }
    : { ok: false, violations: violations.toArray() };
}

function refused(unknown: readonly string[], constraint: string): ParseResult<never> {
  const violations = new ViolationList();
  for (const path of unknown) violations.add(path, 'unknown');
  violations.add('', constraint);
  return { ok: false, violations: violations.toArray() };
}
