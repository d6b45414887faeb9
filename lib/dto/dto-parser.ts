import type { Type } from '@nestjs/common';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { toInstance, toPlain } from './class-transformer.js';
import { compileClass, type CompiledClass } from './compiled-class.js';
import type { DocumentBytes } from './formats/document-bytes.js';
import { ASYNC_TIMEOUT_MS, formatOf } from './formats/codecs.js';
import { keepDocument, keptDocumentOf, type ParsedValue } from './kept-document.js';
import { andThen } from '../timing/and-then.js';
import type { CodecChoice, DocumentFormat } from './formats/document-format.js';
import { DEFAULT_DOCUMENT_LIMITS, type DocumentLimits } from './document-limits.js';
import type { ReferenceOptions } from './references/reference-options.js';
import { ReferenceResolver, type Secrets } from './references/reference-resolver.js';
import { deepFreeze } from './deep-freeze.js';
import { concealDeclared, concealLayered, concealResolved, concealWhole } from './secrets/conceal.js';
import { validateInstance } from './dto-validator.js';
import { hasToJson } from './document-budget.js';
import type { HeadDocument } from './document-overlay.js';
import type { WrittenForm } from './plain-document.js';
import type { JsonObject } from './json-object.js';
import { hasSecrets } from './class-metadata.js';
import { readDocument } from './formats/document-reader.js';
import { stripUnknown, type StrippedPaths } from './unknown-properties.js';
import { ViolationList } from './violation-list.js';

/** A valid document, or its violations, which contain names but never values. */
export type ParseResult<T> =
  | {
      readonly ok: true;
      /** Deeply frozen. */
      readonly value: T;
      /** Paths of unknown properties, which were removed from `value`. */
      readonly stripped: readonly string[];
    }
  | {
      readonly ok: false;
      readonly violations: readonly ConfigViolation[];
      /** True if a reference could not be resolved, so that the same document may be valid later. */
      readonly isUnresolved?: boolean;
    };

export interface DtoParserOptions {
  /**
   * Unknown properties are removed, or the document is rejected.
   * @default 'strip'
   */
  readonly unknown?: 'strip' | 'refuse';
  /**
   * Limit of an asynchronous codec, and of all asynchronous validators together, in milliseconds.
   * @default 5_000
   */
  readonly asyncTimeoutMs?: number;
  /**
   * Format of the bytes.
   * @default 'json'
   */
  readonly codec?: CodecChoice;
  /**
   * True if the output of the values is masked, as for properties with `@Secret()`.
   * @default false
   */
  readonly secret?: boolean;
  /**
   * Set if documents are merged, so that a part may have had another class in one of them.
   * @default none
   */
  readonly layers?: readonly string[] | undefined;
  /**
   * Resolves references to secrets.
   * @default none
   */
  readonly resolve?: ReferenceOptions | undefined;
  /**
   * @default DEFAULT_DOCUMENT_LIMITS
   */
  readonly limits?: Partial<DocumentLimits> | undefined;
}

/** Parses bytes into a validated, frozen instance of a class. Lists, changes and writes all use the same parser. */
export class DtoParser<T extends object> {
  readonly format: DocumentFormat;
  readonly limits: DocumentLimits;
  readonly references: ReferenceResolver | undefined;
  readonly #unknown: 'strip' | 'refuse';
  readonly #isSecret: boolean;
  readonly #isLayered: boolean;
  readonly #asyncTimeoutMs: number;
  /** Compiled at the first document, when the decorators of classes that refer to each other have all run. */
  #compiled: CompiledClass | 'none' | undefined;
  #hasSecrets: boolean | undefined;

  constructor(
    readonly type: Type<T>,
    {
      unknown = 'strip',
      asyncTimeoutMs = ASYNC_TIMEOUT_MS,
      codec = 'json',
      secret = false,
      layers,
      resolve,
      limits,
    }: DtoParserOptions = {},
  ) {
    this.format = formatOf(codec, asyncTimeoutMs);
    this.#unknown = unknown;
    this.#asyncTimeoutMs = asyncTimeoutMs;
    this.#isSecret = secret;
    this.#isLayered = layers !== undefined;
    this.references = resolve && new ReferenceResolver(resolve, asyncTimeoutMs);
    this.limits = { ...DEFAULT_DOCUMENT_LIMITS, ...limits };
  }

  /**
   * Never throws or rejects. Returns a promise only if a validator of the class or the codec is asynchronous.
   */
  parse(bytes: DocumentBytes): ParseResult<T> | Promise<ParseResult<T>> {
    return andThen(readDocument(bytes, this.format, this.limits), (document) =>
      document.ok ? this.#parse(document.value) : document,
    );
  }

  /** Returns a valid document without its unknown properties. */
  documentOf({ value, bytes }: ParsedValue): JsonObject | undefined {
    const kept = keptDocumentOf(value);
    if (kept || bytes === undefined) return kept;
    const document = readDocument(bytes, this.format, this.limits);
    return 'ok' in document && document.ok ? this.#knownPartOf(document.value) : undefined;
  }

  /** Returns a document, which may be invalid, and its known part; `undefined` if the class refuses unknown names. */
  async headDocumentOf(bytes: DocumentBytes): Promise<HeadDocument | undefined> {
    if (this.#unknown === 'refuse') return undefined;
    const document = await readDocument(bytes, this.format, this.limits);
    if (!document.ok) return undefined;
    const known = structuredClone(document.value);
    // A write keeps the names that only a transformation reads: other versions of the application may declare them.
    stripUnknown(known, this.type, { keepsAliases: false });
    return { document: document.value, known };
  }

  /** Converts with class-transformer; an object that is not of the class only if it has the form of the class. */
  plainOf(value: object, form: WrittenForm): unknown {
    const isOfClass = value instanceof this.type || (form === 'class' && !hasToJson(value));
    return isOfClass ? toPlain(this.type, value) : value;
  }

  #parse(document: JsonObject): ParseResult<T> | Promise<ParseResult<T>> {
    if (!this.references) return this.#parseResolved(document, NO_SECRETS);
    // A reference in an unknown property is not resolved.
    const paths = stripUnknown(document, this.type);
    return andThen(this.references.resolve(document), (resolution) =>
      resolution.ok ? this.#parseResolved(document, resolution.secrets, paths) : resolution,
    );
  }

  #parseResolved(
    document: JsonObject,
    secrets: Secrets,
    paths?: StrippedPaths,
  ): ParseResult<T> | Promise<ParseResult<T>> {
    const isKept = this.format.isCustom === true || secrets.size > 0;
    const kept = isKept ? this.#knownPartOf(structuredClone(document)) : undefined;
    return andThen(this.#parseDocument(document, secrets, paths), (result) => {
      if (kept && result.ok) keepDocument(result.value, kept, secrets);
      return result;
    });
  }

  #parseDocument(
    document: JsonObject,
    secrets: Secrets,
    paths?: StrippedPaths,
  ): ParseResult<T> | Promise<ParseResult<T>> {
    const isPlain = secrets.size === 0 && !paths?.unknown.length;
    const compiled = isPlain ? this.#parseCompiled(document) : undefined;
    if (compiled) return { ok: true, value: compiled, stripped: NO_PATHS };

    const { unknown: stripped, forbidden } = paths ?? stripUnknown(document, this.type);
    const refused: Refused = { unknown: this.#unknown === 'refuse' ? stripped : NO_PATHS, forbidden };
    let instance: T;
    try {
      instance = toInstance(this.type, document);
    } catch {
      return rejected(refused, 'transform');
    }
    return andThen(validateInstance(instance, this.#asyncTimeoutMs), (violations) =>
      this.#resultOf(instance, secrets, stripped, refused, violations),
    );
  }

  #resultOf(
    instance: T,
    secrets: Secrets,
    stripped: readonly string[],
    refused: Refused,
    violations: ViolationList,
  ): ParseResult<T> {
    addRefused(refused, violations);
    if (!violations.isEmpty()) return { ok: false, violations: violations.toArray() };
    try {
      if (this.#isSecret) concealWhole(instance);
      else if ((this.#hasSecrets ??= hasSecrets(this.type))) concealDeclared(instance);
      if (this.#isLayered && !this.#isSecret) concealLayered(instance, [this.type]);
      if (secrets.size > 0) concealResolved(instance, new Set(secrets.values()));
      for (const path of deepFreeze(instance)) violations.add(path, 'binary');
    } catch {
      violations.add('', 'freeze');
    }
    return violations.isEmpty()
      ? { ok: true, value: instance, stripped }
      : { ok: false, violations: violations.toArray() };
  }

  /** Removes the unknown properties from the document itself. */
  #knownPartOf(document: JsonObject): JsonObject {
    stripUnknown(document, this.type);
    return document;
  }

  #parseCompiled(document: JsonObject): T | undefined {
    this.#compiled ??= (this.#isSecret ? undefined : compileClass(this.type)) ?? 'none';
    if (this.#compiled === 'none') return undefined;
    try {
      return this.#compiled(document) as T | undefined;
    } catch {
      // The slow path throws again, and reports the violation at the right path.
      return undefined;
    }
  }
}

const NO_PATHS: readonly string[] = [];
const NO_SECRETS: Secrets = new Map();

/** Paths of properties that make a document invalid, whatever their values are. */
interface Refused {
  readonly unknown: readonly string[];
  readonly forbidden: readonly string[];
}

function addRefused({ unknown, forbidden }: Refused, violations: ViolationList): void {
  for (const path of unknown) violations.add(path, 'unknown');
  for (const path of forbidden) violations.add(path, 'forbiddenKey');
}

function rejected(refused: Refused, constraint: string): ParseResult<never> {
  const violations = new ViolationList();
  addRefused(refused, violations);
  violations.add('', constraint);
  return { ok: false, violations: violations.toArray() };
}
