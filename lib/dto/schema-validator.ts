import { adopted, isThenable } from '../foreign/thenable.js';
import { within } from '../timing/time-limit.js';
import { itemPath, propertyPath } from './property-path.js';
import type { StandardSchema, StandardSchemaIssue, StandardSchemaResult } from './standard-schema.js';
import { ViolationList } from './violation-list.js';

/** The value that a schema returned, or its violations, which contain names but never values. */
export type SchemaOutcome = { readonly value: unknown } | { readonly violations: ViolationList };

/**
 * Validates a document with a schema. Never throws or rejects. Returns a promise only if the schema did. A schema that
 * does not settle within the limit is the violation `timeout`; one that throws is the violation `validator`.
 */
export function validateBySchema(
  { '~standard': standard }: StandardSchema,
  document: unknown,
  asyncTimeoutMs: number,
): SchemaOutcome | Promise<SchemaOutcome> {
  try {
    const result: unknown = standard.validate(document);
    if (!isThenable(result)) return outcomeOf(standard.vendor, result);
    return settled(standard.vendor, adopted(result), asyncTimeoutMs);
  } catch {
    return rejectedBy('validator');
  }
}

async function settled(vendor: string, pending: Promise<unknown>, limitMs: number): Promise<SchemaOutcome> {
  try {
    const late = await within(
      pending.then((result) => ({ result })),
      limitMs,
    );
    return late ? outcomeOf(vendor, late.result) : rejectedBy('timeout');
  } catch {
    return rejectedBy('validator');
  }
}

function outcomeOf(vendor: string, result: unknown): SchemaOutcome {
  const { issues, ...valid } = result as StandardSchemaResult<unknown>;
  if (issues === undefined) return 'value' in valid ? valid : rejectedBy('validator');
  const violations = new ViolationList();
  for (const issue of issues) {
    if (violations.isFull()) break;
    violations.add(pathOf(issue), codeOf(vendor, issue));
  }
  return violations.isEmpty() ? rejectedBy(UNNAMED) : { violations };
}

function rejectedBy(constraint: string): SchemaOutcome {
  const violations = new ViolationList();
  violations.add('', constraint);
  return { violations };
}

function pathOf({ path }: StandardSchemaIssue): string {
  let at = '';
  for (const segment of path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    at = typeof key === 'number' ? itemPath(at, key) : propertyPath(at, String(key));
  }
  return at;
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
