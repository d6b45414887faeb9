import { ignoreRejection, isThenable } from '../foreign/thenable.js';
import { deepFreeze } from './deep-freeze.js';
import { DEFAULT_DOCUMENT_LIMITS, type DocumentLimits } from './document-limits.js';
import type { DtoParserOptions, ParseResult } from './dto-parser.js';
import { formatOf } from './formats/codecs.js';
import type { DocumentBytes } from './formats/document-bytes.js';
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
  readonly #asyncTimeoutMs: number;

  constructor(
    readonly type: StandardSchema<unknown, T>,
    { asyncTimeoutMs = 5_000, codec = 'json', limits }: Omit<DtoParserOptions, 'unknown'> = {},
  ) {
    this.format = formatOf(codec);
    this.#asyncTimeoutMs = asyncTimeoutMs;
    this.limits = { ...DEFAULT_DOCUMENT_LIMITS, ...limits };
  }

  /** Never throws or rejects. Returns a promise only if the schema does. */
  parse(bytes: DocumentBytes): ParseResult<T> | Promise<ParseResult<T>> {
    const document = readDocument(bytes, this.format, this.limits);
    if (!document.ok) return document;
    const outcome = validateBySchema(this.type, document.value, this.#asyncTimeoutMs);
    return outcome instanceof Promise ? outcome.then((late) => resultOf<T>(late)) : resultOf<T>(outcome);
  }

  /** Returns a document within the limits. Only the schema knows which properties it ignores. */
  documentOf(bytes: DocumentBytes): JsonObject | undefined {
    const document = readDocument(bytes, this.format, this.limits);
    return document.ok ? document.value : undefined;
  }

  /**
   * Returns a valid document, and the output of the schema as its known part: a schema does not tell which properties it
   * knows.
   */
  async headDocumentOf(bytes: DocumentBytes): Promise<HeadDocument | undefined> {
    const parsed = await this.parse(bytes);
    const document = parsed.ok && this.documentOf(bytes);
    return document ? { document, known: parsed.value } : undefined;
  }

  /** A written value is the input of the schema, which is plain data already. */
  plainOf(value: object): unknown {
    return value;
  }
}

function resultOf<T extends object>(outcome: SchemaOutcome): ParseResult<T> {
  const violations = 'violations' in outcome ? outcome.violations : frozenProblems(outcome.value);
  return 'value' in outcome && violations.isEmpty()
    ? { ok: true, value: outcome.value as T, stripped: [] }
    : { ok: false, violations: violations.toArray() };
}

/** Freezes the output of a schema, which may be the result of a transformation. */
function frozenProblems(value: unknown): ViolationList {
  const violations = new ViolationList();
  try {
    // A promise would be awaited on its way to the readers, and its rejection handled by none of them.
    if (typeof value !== 'object' || value === null || isThenable(value)) {
      ignoreRejection(value);
      violations.add('', 'object');
      return violations;
    }
    for (const path of deepFreeze(value)) violations.add(path, 'binary');
  } catch {
    violations.add('', 'freeze');
  }
  return violations;
}
