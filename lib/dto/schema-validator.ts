import { adopted, isThenable } from '../foreign/thenable.js';
import { within } from '../timing/time-limit.js';
import { DocumentNames } from './document-names.js';
import { isCut, itemPath, propertyPath } from './property-path.js';
import type { StandardSchema, StandardSchemaIssue } from './standard-schema.js';
import { ViolationList } from './violation-list.js';

/** The value that a schema returned, or its violations, which contain names but never values. */
export type SchemaOutcome = { readonly value: unknown } | { readonly violations: ViolationList };

/**
 * Validates a document with a schema. Never throws or rejects. Returns a promise only if the schema did. A schema that
 * does not settle within the limit is the violation `timeout`; one that throws is the violation `validator`.
 */
export function validateBySchema(
  schema: StandardSchema,
  document: unknown,
  asyncTimeoutMs: number,
): SchemaOutcome | Promise<SchemaOutcome> {
  try {
    const { '~standard': standard } = schema;
    const { vendor } = standard;
    const result: unknown = standard.validate(document);
    const read = (settled: unknown): SchemaOutcome => outcomeOf(vendor, document, settled);
    return isThenable(result) ? settled(adopted(result), read, asyncTimeoutMs) : read(result);
  } catch {
    return rejectedBy('validator');
  }
}

async function settled(
  pending: Promise<unknown>,
  read: (result: unknown) => SchemaOutcome,
  limitMs: number,
): Promise<SchemaOutcome> {
  try {
    const late = await within(
      pending.then((result) => ({ result })),
      limitMs,
    );
    return late ? read(late.result) : rejectedBy('timeout');
  } catch {
    return rejectedBy('validator');
  }
}

function outcomeOf(vendor: string, document: unknown, result: unknown): SchemaOutcome {
  const { issues, value } = result as { readonly issues?: unknown; readonly value?: unknown };
  if (issues === undefined) return 'value' in (result as object) ? { value } : rejectedBy('validator');
  const violations = new ViolationList();
  const names = new DocumentNames(document);
  let count = 0;
  for (const issue of issues as Iterable<StandardSchemaIssue>) {
    if (violations.isFull()) break;
    count += 1;
    if (count > MAX_ISSUES) {
      violations.add('', 'more');
      break;
    }
    violations.add(pathOf(issue, names), codeOf(vendor, issue));
  }
  return violations.isEmpty() ? rejectedBy(UNNAMED) : { violations };
}

function rejectedBy(constraint: string): SchemaOutcome {
  const violations = new ViolationList();
  violations.add('', constraint);
  return { violations };
}

function pathOf({ path }: StandardSchemaIssue, names: DocumentNames): string {
  let at = '';
  for (const segment of path ?? []) {
    const key: unknown = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'number' && Number.isSafeInteger(key) && !names.isValue(key)) at = itemPath(at, key);
    else if (typeof key === 'string' || typeof key === 'symbol') at = propertyPath(at, nameOf(key, names));
    else at = propertyPath(at, HIDDEN);
    if (isCut(at)) break;
  }
  return at;
}

/** A transformation may turn values into names, such as the keys of a `Map`. */
function nameOf(key: string | symbol, names: DocumentNames): string {
  const name = String(key);
  return names.isValue(typeof key === 'symbol' ? (key.description ?? '') : key) ? HIDDEN : name;
}

/**
 * The specification has no codes, so they are read where a known library keeps them. Any other property could contain
 * values.
 */
function codeOf(vendor: string, issue: StandardSchemaIssue): string {
  const property = Object.hasOwn(CODE_PROPERTIES, vendor) ? CODE_PROPERTIES[vendor] : undefined;
  const code: unknown = property === undefined ? undefined : Reflect.get(issue, property);
  return typeof code === 'string' && CODE.test(code) ? code : UNNAMED;
}

const CODE_PROPERTIES: Readonly<Record<string, string>> = { zod: 'code', valibot: 'type', arktype: 'code' };
const CODE = /^[a-z][\w-]{0,49}$/i;
const UNNAMED = 'invalid';
/** Replaces a part of a path that could be a value. */
const HIDDEN = '(hidden)';
/** Number of issues that are read. Several may have one path, and a schema may be wrong. */
const MAX_ISSUES = 1_000;
