import { Exclude, Expose, type ExposeOptions, Transform } from 'class-transformer';
import type { Random } from '../../faults/lab/random.js';
import { CORPUS } from './built-in-decorators.js';
import type { Rule } from './property-rules.js';

/** Draws `@Transform()`, `@Exclude()` or `@Expose()`, which few properties have. */
export function drawTransformation(random: Random, isNested: boolean): Rule[] {
  const rule = (description: string, decorate: PropertyDecorator): Rule => ({ description, decorate, good: CORPUS });
  if (!isNested && random.percent(4)) {
    const name = random.pick(Object.keys(TRANSFORMS));
    const transform = TRANSFORMS[name] as (value: unknown) => unknown;
    const options = drawTransformOptions(random);
    return [
      rule(
        `Transform(${name} ${JSON.stringify(options)})`,
        Transform(({ value }) => transform(value), options),
      ),
    ];
  }
  if (random.percent(2)) {
    const options = random.pick([{}, { toPlainOnly: true }, { toClassOnly: true }]);
    return [rule(`Exclude(${JSON.stringify(options)})`, Exclude(options))];
  }
  if (random.percent(3)) {
    const options = { ...drawTransformOptions(random), ...(isNested ? {} : { name: 'exposed' }) };
    return [rule(`Expose(${JSON.stringify(options)})`, Expose(options))];
  }
  return [];
}

const drawTransformOptions = (random: Random): ExposeOptions =>
  random.percent(50)
    ? {}
    : random.pick<ExposeOptions>([
        { toPlainOnly: true },
        { toClassOnly: true },
        { groups: ['g'] },
        { since: 1 },
        { until: 2 },
      ]);

const TRANSFORMS: Readonly<Record<string, (value: unknown) => unknown>> = {
  identity: (value) => value,
  undefined: () => undefined,
  'a string': String,
  'a list': (value) => [value],
  throwing: (value) => (value as Record<string, unknown>).length,
};
