import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { checkDecoded, readDocument } from '../dto/formats/document-reader.js';
import { JSON_FORMAT } from '../dto/formats/json-format.js';
import { YamlFormat } from '../dto/formats/yaml-format.js';
import type { DocumentFormat } from '../dto/formats/document-format.js';
import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { maskDocument } from '../dto/secrets/document-mask.js';
import { containsMask, exposedSecrets, restoreMasked, type ShownPart } from '../dto/secrets/restore-masked.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { ConsoleError } from './console-error.js';

/** A document in the form of an answer, in which `***` replaces the secrets. A text without structure is a string. */
export interface ShownDocument {
  readonly document: JsonObject | string | null;
  /** The document in the format of its definition. */
  readonly text: string | null;
  /** Paths of the masked parts. */
  readonly secrets: readonly string[];
}

/** A document of a request. */
export interface SentDocument {
  readonly document?: unknown;
  readonly text?: unknown;
  readonly format?: unknown;
}

export type ReadResult =
  | { readonly ok: true; readonly document: JsonObject }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/** Returns the document of bytes; `undefined` if they are not one. */
export async function decoded(
  { parser: { limits } }: DefinitionFeed,
  format: DocumentFormat,
  bytes: Buffer | undefined,
): Promise<JsonObject | undefined> {
  if (!bytes) return undefined;
  const result = await readDocument(bytes, format, limits);
  return result.ok ? result.value : undefined;
}

/** Returns a document with and without its secrets. */
export function shownPart({ definition }: DefinitionFeed, document: JsonObject | undefined): ShownPart {
  return { plain: document, masked: document && maskDocument(document, definition).document };
}

/** Masks a document for an answer. */
export function shownDocument(feed: DefinitionFeed, document: JsonObject | undefined): ShownDocument {
  if (!document) return { document: null, text: null, secrets: [] };
  const masked = maskDocument(document, feed.definition);
  const isText = feed.definition.codec === 'text';
  return {
    ...presented(feed, masked.document),
    secrets: masked.places.map(({ path }) => (isText ? '' : path)),
  };
}

/** Returns a document as the page shows it. Does not mask it. */
export function presented(
  { definition: { codec } }: DefinitionFeed,
  document: JsonObject,
): Pick<ShownDocument, 'document' | 'text'> {
  if (codec === 'text') return { document: String(document.value), text: String(document.value) };
  if (codec !== 'yaml') return { document, text: JSON.stringify(document, undefined, 2) };
  const bytes = new YamlFormat().write(document);
  return { document, text: bytes.toString() };
}

/**
 * Reads the document of a request.
 * @throws ConsoleError if the request has none
 */
export async function sentDocument(feed: DefinitionFeed, sent: SentDocument): Promise<ReadResult> {
  const { document, text, format = feed.definition.codec === 'yaml' ? 'yaml' : 'json' } = sent;
  if (text !== undefined) {
    if (typeof text !== 'string') throw new ConsoleError(400, '"text" must be a string');
    if (feed.definition.codec === 'text') return { ok: true, document: { value: text } };
    if (format !== 'json' && format !== 'yaml') throw new ConsoleError(400, '"format" must be "json" or "yaml"');
    return checked(feed, Buffer.from(text), format === 'json' ? JSON_FORMAT : new YamlFormat());
  }
  if (document === undefined) throw new ConsoleError(400, '"document" or "text" is missing');
  if (feed.definition.codec === 'text' && typeof document === 'string') {
    return { ok: true, document: { value: document } };
  }
  if (!isJsonObject(document)) return { ok: false, violations: [{ path: '', constraints: ['object'] }] };
  // A document that is nested too deeply cannot be converted to text.
  const bounded = checkDecoded(document, feed.parser.limits);
  return bounded.ok ? checked(feed, JSON_FORMAT.write(document), JSON_FORMAT) : bounded;
}

async function checked({ parser }: DefinitionFeed, bytes: Buffer, format: DocumentFormat): Promise<ReadResult> {
  const result = await readDocument(bytes, format, parser.limits);
  return result.ok ? { ok: true, document: result.value } : result;
}

/**
 * Replaces each `***` by the secret of the current document. A violation is a `***` without a secret, and one in a place
 * that would show the secret.
 */
export function withSecrets(feed: DefinitionFeed, sent: JsonObject, current: JsonObject | undefined): ReadResult {
  const document = restoreMasked(sent, shownPart(feed, current)) as JsonObject;
  const { document: masked, places } = maskDocument(document, feed.definition);
  const missing = places.filter(({ value }) => containsMask(value)).map(({ path }) => path);
  const paths = [...missing, ...exposedSecrets(sent, { plain: document, masked })];
  return paths.length === 0
    ? { ok: true, document }
    : { ok: false, violations: paths.map((path) => ({ path, constraints: ['masked'] })) };
}

/** The paths of a text without structure are those of the document itself. */
export const shownViolations = (
  { definition: { codec } }: DefinitionFeed,
  violations: readonly ConfigViolation[],
): readonly ConfigViolation[] =>
  codec === 'text'
    ? violations.map((violation) => (violation.path === 'value' ? { ...violation, path: '' } : violation))
    : violations;
