import { inspect } from 'node:util';
import {
  registerDecorator,
  IsOptional,
  ValidateBy,
  ValidateIf,
  Validate,
  ValidatePromise,
  validateSync,
  type ValidationArguments,
  type ValidationOptions,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { type Random } from '../../faults/lab/random.js';
import { argumentsOf, BUILT_IN, CORPUS } from './built-in-decorators.js';

/** A decorator, its description, and the values of the corpus that are valid. */
export interface Rule {
  readonly description: string;
  readonly decorate: PropertyDecorator;
  readonly good: readonly unknown[];
  readonly isAsync?: boolean;
}

type Record_ = Record<string, unknown>;

/** Draws a constraint of class-validator, or a custom one. */
export function drawRule(random: Random): Rule {
  if (random.percent(12)) return drawCustomRule(random);
  const [name, decorator] = random.pick(BUILT_IN);
  const options: ValidationOptions = {};
  if (random.percent(25)) options.each = true;
  if (random.percent(6)) options.groups = ['g'];
  if (random.percent(4)) options.always = random.percent(50);
  if (random.percent(6)) options.message = '$value is wrong';
  if (random.percent(6)) options.context = { code: 1 };
  if (random.percent(6)) options.validateIf = (_object, value) => typeof value === 'string';
  const given = random.pick(argumentsOf(name));
  const single = passing(name, decorator, given);
  return {
    description: `${name}(${[...given, options].map(shown).join(', ')})`,
    decorate: decorator(...given, options),
    good: options.each ? [...single.map((value) => [value, value]), [], [random.pick(single)], ...single] : single,
  };
}

const shown = (argument: unknown): string => inspect(argument, { breakLength: Infinity });

const CUSTOM: Readonly<Record<string, (value: unknown, object: object) => unknown>> = {
  truthy: () => 1,
  falsy: () => 0,
  'a string': (value) => typeof value === 'string',
  throwing: (value) => (value as Record_).length !== undefined,
  'pushing to lists': (value) => (Array.isArray(value) ? value.push('pushed') > 0 : true),
  'assigning to objects': (value) =>
    typeof value === 'object' && value !== null ? ((value as Record_).assigned = true) : true,
  'changing the instance': (_value, object) => ((object as Record_).changed = true),
};

function drawCustomRule(random: Random): Rule {
  const name = random.pick(Object.keys(CUSTOM));
  const validate = CUSTOM[name] as (value: unknown, object: object) => unknown;
  const isAsync = random.percent(8);
  const each = random.percent(25);
  const result = (value: unknown, object: object): boolean =>
    (isAsync ? Promise.resolve(validate(value, object)) : validate(value, object)) as boolean;
  const kind = random.pick(['ValidateBy', 'registerDecorator', 'Validate']);
  if (kind === 'Validate') {
    @ValidatorConstraint({ name: 'constraint', async: isAsync && random.percent(50) })
    class Constraint implements ValidatorConstraintInterface {
      validate(value: unknown, args?: ValidationArguments): boolean {
        return result(value, args?.object ?? {});
      }
    }
    return {
      description: `Validate(${isAsync ? 'async ' : ''}${name}${each ? ' each' : ''})`,
      decorate: Validate(Constraint, [1], { each }),
      good: CORPUS,
      isAsync,
    };
  }
  const decorate: PropertyDecorator =
    kind === 'ValidateBy'
      ? ValidateBy(
          { name: 'custom', validator: { validate: (value, args) => result(value, args?.object ?? {}) } },
          { each },
        )
      : (target, propertyName) => {
          registerDecorator({
            name: random.pick(['custom', 'isDefined']),
            target: target.constructor,
            propertyName: String(propertyName),
            options: { each },
            validator: { validate: (value: unknown, args) => result(value, args?.object ?? {}) },
          });
        };
  return { description: `${isAsync ? 'async ' : ''}${name}${each ? ' each' : ''}`, decorate, good: CORPUS, isAsync };
}

/** Draws `@IsOptional()` or `@ValidateIf()`, sometimes both. */
export function drawConditions(random: Random, names: readonly string[]): Rule[] {
  const rules: Rule[] = [];
  if (random.percent(35)) {
    const options = random.percent(10) ? { groups: ['g'], always: true } : undefined;
    rules.push({ description: `IsOptional(${shown(options)})`, decorate: IsOptional(options), good: CORPUS });
  }
  if (random.percent(2)) rules.push({ description: 'ValidatePromise', decorate: ValidatePromise(), good: CORPUS });
  while (random.percent(12)) {
    const name = random.pick(names);
    const [description, condition] = random.pick<[string, (object: Record_, value: unknown) => unknown]>([
      ['never', () => false],
      ['always', () => 'yes'],
      [`without ${name}`, (object) => object[name] === undefined],
      [`with ${name}`, (object) => object[name]],
      ['throws for null', (_object, value) => (value as Record_).length !== 1],
    ]);
    rules.push({
      description: `ValidateIf(${description})`,
      decorate: ValidateIf(condition as (object: unknown, value: unknown) => boolean),
      good: CORPUS,
    });
  }
  return rules;
}

const passingValues = new Map<readonly unknown[], Map<string, readonly unknown[]>>();

/** Returns the values of the corpus that one decorator accepts. */
function passing(
  name: string,
  decorator: (...args: unknown[]) => PropertyDecorator,
  given: readonly unknown[],
): readonly unknown[] {
  const byName = passingValues.get(given) ?? new Map<string, readonly unknown[]>();
  passingValues.set(given, byName);
  const cached = byName.get(name);
  if (cached) return cached;
  class Subject {
    value: unknown;
  }
  decorator(...given)(Subject.prototype, 'value');
  const values = CORPUS.filter((value) => {
    try {
      return validateSync(Object.assign(new Subject(), { value: structuredClone(value) })).length === 0;
    } catch {
      return false;
    }
  });
  const usable = values.length > 0 ? values : CORPUS;
  byName.set(name, usable);
  return usable;
}
