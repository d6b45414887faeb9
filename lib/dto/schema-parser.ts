import { ignoreRejection, isThenable } from '../foreign/thenable.js';
import { deepFreeze } from './deep-freeze.js';
import { ReferenceResolver, type Secrets } from './references/reference-resolver.js';
import { concealResolved, concealWhole } from './secrets/conceal.js';
import { DEFAULT_DOCUMENT_LIMITS, type DocumentLimits } from './document-limits.js';
import type { DtoParserOptions, ParseResult } from './dto-parser.js';
import { ASYNC_TIMEOUT_MS, formatOf } from './formats/codecs.js';
import type { DocumentBytes } from './formats/document-bytes.js';
import { keepDocument, keptDocumentOf, type ParsedValue } from './kept-document.js';
import { andThen } from '../timing/and-then.js';
import type { DocumentFormat } from './formats/document-format.js';
import { readDocument } from './formats/document-reader.js';
import type { HeadDocument } from './document-overlay.js';
import type { JsonObject } from './json-object.js';
import { type SchemaOutcome, validateBySchema } from './schema-validator.js';
import type { StandardSchema } from './standard-schema.js';
import { ViolationList } from './violation-list.js';

/** Parses bytes into the validated, frozen output of a schema, by the rules for documents that apply to classes. */
export class SchemaParser<T extends object> {
  readonly format: DocumentFormat;
  readonly limits: DocumentLimits;
  readonly references: ReferenceResolver | undefined;
  readonly #asyncTimeoutMs: number;
  readonly #isSecret: boolean;

  constructor(
    readonly type: StandardSchema<unknown, T>,
    {
      asyncTimeoutMs = ASYNC_TIMEOUT_MS,
      codec = 'json',
      secret = false,
      resolve,
      limits,
    }: Omit<DtoParserOptions, 'unknown'> = {},
  ) {
    this.format = formatOf(codec, asyncTimeoutMs);
    this.#asyncTimeoutMs = asyncTimeoutMs;
    this.#isSecret = secret;
    this.references = resolve && new ReferenceResolver(resolve, asyncTimeoutMs);
    this.limits = { ...DEFAULT_DOCUMENT_LIMITS, ...limits };
  }

  /** Never throws or rejects. Returns a promise only if the schema or the codec does. */
  parse(bytes: DocumentBytes): ParseResult<T> | Promise<ParseResult<T>> {
    return andThen(readDocument(bytes, this.format, this.limits), (document) =>
      document.ok ? this.#parse(document.value) : document,
    );
  }

  /** Returns a document within the limits. Only the schema knows which properties it ignores. */
  documentOf({ value, bytes }: ParsedValue): JsonObject | undefined {
    const kept = keptDocumentOf(value);
    if (kept || bytes === undefined) return kept;
    const document = readDocument(bytes, this.format, this.limits);
    return 'ok' in document && document.ok ? document.value : undefined;
  }

  /**
   * Returns a valid document, and the output of the schema as its known part: a schema does not tell which properties it
   * knows.
   */
  async headDocumentOf(bytes: DocumentBytes): Promise<HeadDocument | undefined> {
    const document = await readDocument(bytes, this.format, this.limits);
    if (!document.ok) return undefined;
    const parsed = await this.#parse(structuredClone(document.value));
    return parsed.ok ? { document: document.value, known: parsed.value } : undefined;
  }

  /** A written value is the input of the schema, which is plain data already. */
  plainOf(value: object): unknown {
    return value;
  }

  #parse(document: JsonObject): ParseResult<T> | Promise<ParseResult<T>> {
    if (!this.references) return this.#parseResolved(document, NO_SECRETS);
    return andThen(this.references.resolve(document), (resolution) =>
      resolution.ok ? this.#parseResolved(document, resolution.secrets) : resolution,
    );
  }

  #parseResolved(document: JsonObject, secrets: Secrets): ParseResult<T> | Promise<ParseResult<T>> {
    const kept = this.format.isCustom === true || secrets.size > 0 ? structuredClone(document) : undefined;
    return andThen(validateBySchema(this.type, document, this.#asyncTimeoutMs), (outcome) => {
      const result = resultOf<T>(outcome, this.#isSecret, secrets);
      if (kept && result.ok) keepDocument(result.value, kept, secrets);
      return result;
    });
  }
}

function resultOf<T extends object>(outcome: SchemaOutcome, isSecret: boolean, secrets: Secrets): ParseResult<T> {
  const violations = 'violations' in outcome ? outcome.violations : frozenProblems(outcome.value, isSecret, secrets);
  return 'value' in outcome && violations.isEmpty()
    ? { ok: true, value: outcome.value as T, stripped: [] }
    : { ok: false, violations: violations.toArray() };
}

/** Freezes the output of a schema, which may be the result of a transformation. */
function frozenProblems(value: unknown, isSecret: boolean, secrets: Secrets): ViolationList {
  const violations = new ViolationList();
  try {
    // A promise would be awaited on its way to the readers, and its rejection handled by none of them.
    if (typeof value !== 'object' || value === null || isThenable(value)) {
      ignoreRejection(value);
      violations.add('', 'object');
      return violations;
    }
    if (isSecret) concealWhole(value);
    if (secrets.size > 0) concealResolved(value, new Set(secrets.values()));
    for (const path of deepFreeze(value)) violations.add(path, 'binary');
  } catch {
    violations.add('', 'freeze');
  }
  return violations;
}

const NO_SECRETS: Secrets = new Map();
