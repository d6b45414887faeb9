import { compileFunction } from 'node:vm';
import type { JsonObject } from './json-object.js';

export type Check = (object: object, value: unknown) => boolean;

export interface CompiledProperty {
  readonly name: string;
  /** Builds the instance of a nested document; returns `undefined` if the slow path must decide. */
  readonly build: ((value: unknown) => unknown) | undefined;
  /** The checks apply only if all conditions hold (`@IsOptional`, `@ValidateIf`). */
  readonly conditions: readonly Check[];
  readonly checks: readonly Check[];
}

/**
 * Returns a frozen instance that passed every check; `undefined` if a check failed, the document has an unknown
 * property, or class-transformer would not assign all properties.
 */
export type Builder = (document: JsonObject) => JsonObject | undefined;

/**
 * Generates the code that one would write by hand for the class. V8 optimizes property access by literal names; a
 * generic loop over the properties is measurably slower at startup. Only the property names of the class become code,
 * as string literals. Nothing of a document does.
 *
 * The instance is frozen before the checks run: a validator that changes it throws, and the slow path decides.
 */
export function compileBuilder(
  type: new () => object,
  properties: readonly CompiledProperty[],
  freeze: (instance: JsonObject) => boolean,
): Builder {
  const code = `
    "use strict";
    const { prototype } = type;
    ${properties.map(declarations).join('\n')}
    return (document) => {
      const instance = new type();
      if (Object.getPrototypeOf(instance) !== prototype) return undefined;
      let unknown = 0;
      let value;
      for (const name in document) unknown += 1;
      ${properties.map(assignment).join('\n')}
      if (unknown !== 0 || !freeze(instance)) return undefined;
      ${properties.map(checking).join('\n')}
      return instance;
    };`;
  const make = compileFunction(code, ['type', 'properties', 'freeze']) as (...values: unknown[]) => Builder;
  return make(type, properties, freeze);
}

const declarations = ({ conditions, checks }: CompiledProperty, at: number): string =>
  [
    `const build${at} = properties[${at}].build;`,
    ...conditions.map((_, index) => `const condition${at}_${index} = properties[${at}].conditions[${index}];`),
    ...checks.map((_, index) => `const check${at}_${index} = properties[${at}].checks[${index}];`),
  ].join('\n');

function assignment({ name, build }: CompiledProperty, at: number): string {
  const property = `[${JSON.stringify(name)}]`;
  // A nested default value of the class must be validated too.
  const absent = build ? `else if (instance${property} !== undefined) return undefined;` : '';
  const nested = build ? `value = build${at}(value); if (value === undefined) return undefined;` : '';
  // class-transformer never replaces a function, such as a default value of the class.
  return `
      if (typeof instance${property} === 'function') return undefined;
      value = document${property};
      if (value !== undefined) { unknown -= 1; ${nested} instance${property} = value; } ${absent}`;
}

function checking({ name, conditions, checks }: CompiledProperty, at: number): string {
  // class-validator evaluates all conditions, also those after one that does not hold.
  const applies = conditions.map((_, index) => `!!condition${at}_${index}(instance, value)`).join(' & ') || 'true';
  const fails = checks.map((_, index) => `!check${at}_${index}(instance, value)`).join(' || ') || 'false';
  return `
      value = instance[${JSON.stringify(name)}];
      if ((${applies}) && (${fails})) return undefined;`;
}
