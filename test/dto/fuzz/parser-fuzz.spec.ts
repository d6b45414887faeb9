import { expect, it } from 'vitest';
import { containerViolation, documentViolations, STRICTER } from './stricter.js';
import { fuzzOneClass } from './parser-fuzz.js';

const CLASSES = 60;

it('generated documents get the verdict and the value of class-validator and class-transformer', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const counters = { documents: 0, classes: 0, compiled: 0, valid: 0, withUnknown: 0 };

  // The difference contains the seed to repeat it with.
  for (let index = 0; index < CLASSES; index += 1) expect(await fuzzOneClass(seed + index, counters)).toBeUndefined();

  process.stdout.write(`fuzz with seed ${seed}: ${JSON.stringify(counters)}\n`);
  expect(counters).toMatchObject({ classes: CLASSES });
  expect(Math.min(counters.compiled, counters.valid, counters.withUnknown)).toBeGreaterThan(0);
});

it('docs/configuration.md lists every rule that the comparison allows', () => {
  const texts = ['{"toString":1}', '{"a":1e400}', '{"a":9007199254740993}', '{"twice":1,"twice":2}'];
  const violations = texts.map((text) => documentViolations(text).map((violation) => violation.replace(/^.*: /, '')));
  const containers = [Array, Set, Map].map((container) => containerViolation({}, container, () => false));

  expect(violations).toEqual([['forbiddenKey'], ['finite'], ['safeInteger'], ['duplicateKey']]);
  expect(containers).toEqual(['isArray', 'isArray', 'nestedValidation']);
  expect([...STRICTER].filter((code) => ![...violations.flat(), ...containers].includes(code))).toEqual(OTHER_LIMITS);
});

/** Violations that generated documents do not cause. */
const OTHER_LIMITS = ['size', 'depth', 'properties', 'binary', 'freeze'];
