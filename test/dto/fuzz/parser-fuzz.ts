import { getMetadataStorage, useContainer } from 'class-validator';
import { DtoParser, type ParseResult } from '../../../lib/dto/dto-parser.js';
import { compileClass } from '../../../lib/dto/compiled-class.js';
import { Random } from '../../faults/lab/random.js';
import { drawClass } from './class-generator.js';
import { drawDocument } from './document-generator.js';
import { type Reference, referenceOf } from './reference.js';
import { isSameValue } from './same-value.js';
import type { ClassShape } from './shape.js';

export interface FuzzCounters {
  documents: number;
  classes: number;
  /** Classes with a compiled path. */
  compiled: number;
  valid: number;
  withUnknown: number;
}

const DOCUMENTS_PER_CLASS = 40;

/**
 * Compares the parser with class-transformer and class-validator for documents of one generated class.
 * @returns the description of the first difference
 */
export async function fuzzOneClass(seed: number, counters: FuzzCounters): Promise<string | undefined> {
  forgetGeneratedClasses();
  const random = new Random(seed);
  const shape = drawClass(random);
  const parsers = (['strip', 'refuse'] as const).map((unknown) => new DtoParser(shape.type, { unknown }));
  counters.classes += 1;
  if (compileClass(shape.type)) counters.compiled += 1;
  for (let left = DOCUMENTS_PER_CLASS; left > 0; left -= 1) {
    const text = drawDocument(random, shape);
    const reference = await referenceOf(shape, text);
    counters.documents += 1;
    if (reference.value && reference.violations.size === 0) counters.valid += 1;
    if (reference.unknown.length > 0) counters.withUnknown += 1;
    for (const [index, parser] of parsers.entries()) {
      const difference = differenceOf(shape, await parser.parse(Buffer.from(text)), reference, index === 1);
      if (difference !== undefined)
        return [`seed ${seed}, ${index === 1 ? 'refuse' : 'strip'}`, text, shape.description, difference].join('\n');
    }
  }
  return undefined;
}

function differenceOf(
  shape: ClassShape,
  result: ParseResult<object>,
  reference: Reference,
  refuses: boolean,
): string | undefined {
  const violations = result.ok
    ? []
    : result.violations.flatMap(({ path, constraints }) => constraints.map((code) => `${path}: ${code}`));
  const unknown = result.ok
    ? result.stripped
    : violations.filter((violation) => /: (unknown|forbiddenKey)$/.test(violation));
  if (shape.hidesUnknown && unknown.length + reference.unknown.length > 0) return undefined;
  if (reference.thrown !== undefined) {
    const isReported = violations.some((violation) => violation.endsWith(`: ${String(reference.thrown)}`));
    return isReported ? undefined : `${reference.thrown} threw, but: ${violations.join('; ') || 'valid'}`;
  }
  const expected = [...reference.violations, ...(refuses ? reference.unknown.map((path) => `${path}: unknown`) : [])];
  // The list of the parser is cut after 100 paths.
  const isCut = violations.includes(': more');
  const complete = isCut ? [...new Set([...violations, ...expected])].filter((item) => item !== ': more') : violations;
  const difference = onlyInOne('violation', complete, expected);
  if (difference !== undefined) return difference;
  if (!result.ok) return undefined;
  const strippedDifference = onlyInOne('unknown property', result.stripped, reference.unknown);
  if (strippedDifference !== undefined) return strippedDifference;
  return isSameValue(result.value, reference.value) ? undefined : 'the value differs';
}

function onlyInOne(what: string, found: readonly string[], expected: readonly string[]): string | undefined {
  const extra = found.filter((item) => !expected.includes(item)).map((item) => `extra ${what} ${item}`);
  const missing = expected.filter((item) => !found.includes(item)).map((item) => `missing ${what} ${item}`);
  return extra.length + missing.length > 0 ? [...extra, ...missing].join('\n') : undefined;
}

/**
 * Removes the metadata of all classes of the process, because class-validator searches all of it for each validation.
 */
function forgetGeneratedClasses(): void {
  const storage = getMetadataStorage() as unknown as Record<string, Map<unknown, unknown>>;
  storage.validationMetadatas?.clear();
  storage.constraintMetadatas?.clear();
  const instances = new Map<unknown, unknown>();
  // The default container searches a list of all constraints.
  useContainer({
    get: (type) => {
      const instance = instances.get(type) ?? new (type as new () => unknown)();
      instances.set(type, instance);
      return instance as never;
    },
  });
}
