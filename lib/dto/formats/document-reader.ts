import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { itemPath, propertyPath } from '../property-path.js';
import { ViolationList } from '../violation-list.js';
import { DocumentCount } from '../document-count.js';
import { DEFAULT_DOCUMENT_LIMITS, type DocumentLimits } from '../document-limits.js';
import { isForbiddenName, isJsonObject, type JsonObject, MAX_DEPTH, MAX_PROPERTIES } from '../json-object.js';
import type { DocumentBytes } from './document-bytes.js';
import type { DecodedDocument, DocumentFormat } from './document-format.js';
import { andThen } from '../../timing/and-then.js';
import { rejected } from './document-text.js';
import { JSON_FORMAT } from './json-format.js';

export type DocumentResult =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly violations: readonly ConfigViolation[] };

/**
 * Decodes bytes into an object that is safe to transform. The violations of every format are `object`, `depth`,
 * `properties` (of one object), `forbiddenKey`, `finite`, `safeInteger`, `duplicateKey` and the names of the limits,
 * such as `limits.values`; each format adds its own, such as `utf8` and `json`. Never rejects. Returns a promise only if
 * the codec of an application does.
 */
export function readDocument(
  bytes: DocumentBytes,
  format: DocumentFormat = JSON_FORMAT,
  limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS,
): DocumentResult | Promise<DocumentResult> {
  if (bytes.length > limits.documentBytes) return rejected('limits.documentBytes');
  return andThen(format.read(bytes), (decoded) => checked(decoded, limits));
}

/** Checks a value that is parsed already, as `readDocument` does. Integers that have lost digits are not recognized. */
export const checkDecoded = (value: unknown, limits: DocumentLimits): DocumentResult =>
  checked({ ok: true, value }, limits);

function checked(decoded: DecodedDocument, limits: DocumentLimits): DocumentResult {
  if (!decoded.ok) return decoded;
  const { value, isUnambiguous, findUnsafeIntegers } = decoded;
  if (!isJsonObject(value)) return rejected('object');
  let count = new DocumentCount(limits);
  if (!count.add(value)) {
    if (count.exceeded) return rejected(`limits.${count.exceeded}`);
    const violations = new ViolationList();
    inspect(value, '', 1, violations);
    for (const path of findUnsafeIntegers?.() ?? []) violations.add(path, 'safeInteger');
    if (!violations.isEmpty()) return { ok: false, violations: violations.toArray() };
    // A number with a fraction or an exponent may be larger than the safe integers.
    count = new DocumentCount(limits, Number.MAX_VALUE);
    count.add(value);
    if (count.exceeded) return rejected(`limits.${count.exceeded}`);
  }
  return isUnambiguous?.(count.properties) === false ? rejected('duplicateKey') : { ok: true, value };
}

/** Looks for the paths of what `DocumentCount` does not accept, until the list is full. */
function inspect(value: object, path: string, depth: number, violations: ViolationList): void {
  if (depth > MAX_DEPTH) {
    violations.add(path, 'depth');
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length && !violations.isFull(); index += 1) {
      const item: unknown = value[index];
      if (needsInspection(item)) inspectPart(item, itemPath(path, index), depth, violations);
    }
  } else {
    const properties = Object.entries(value as JsonObject);
    if (properties.length > MAX_PROPERTIES) violations.add(path, 'properties');
    for (const [name, item] of properties) {
      if (violations.isFull()) return;
      if (isForbiddenName(name)) violations.add(propertyPath(path, name), 'forbiddenKey');
      else if (needsInspection(item)) inspectPart(item, propertyPath(path, name), depth, violations);
    }
  }
}

// JSON has no Infinity, but JSON.parse reads 1e999 as Infinity.
const needsInspection = (value: unknown): value is object | number =>
  (typeof value === 'object' && value !== null) || (typeof value === 'number' && !Number.isFinite(value));

function inspectPart(part: object | number, path: string, depth: number, violations: ViolationList): void {
  if (typeof part === 'number') violations.add(path, 'finite');
  else inspect(part, path, depth + 1, violations);
}
