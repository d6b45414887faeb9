import { types } from 'node:util';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import {
  type AnyClass,
  isClass,
  isConstrained,
  itemTypesOf,
  propertiesOf,
  readsDecorators,
  type PropertyMetadata,
} from './class-metadata.js';
import { printable } from '../foreign/foreign-text.js';
import { className } from '../foreign/class-name.js';

/**
 * Rejects a class without validation rules, a nested class that is not validated or not instantiated, and property
 * types that cannot be frozen. `subject` names the definition or handler that uses the class, such as `key "/app/db"`.
 * @throws InvalidOptionsError
 */
export function checkDtoType(subject: string, type: unknown): asserts type is AnyClass {
  if (!isClass(type)) throw new InvalidOptionsError(`the definition of ${subject} needs a class as its "type"`);
  if (!readsDecorators()) {
    throw new InvalidOptionsError(
      'a bundler has included class-transformer twice, so its decorators have no effect: bundle nestjs-etcd-trigger, class-transformer and class-validator together, or make all packages external (docs/bundling.md)',
    );
  }
  checkClass(subject, type, new Set());
}

function checkClass(subject: string, type: AnyClass, checked: Set<AnyClass>): void {
  if (checked.has(type)) return;
  checked.add(type);
  if (!isConstrained(type)) {
    throw new InvalidOptionsError(
      `${className(type)}, the class of ${subject}, has no class-validator constraint, so any value would be valid: decorate its properties, such as with @IsString()`,
    );
  }
  for (const property of propertiesOf(type).values()) {
    const problem = problemOf(property);
    if (problem)
      throw new InvalidOptionsError(`${className(type)}.${printable(property.name)}, for ${subject}, ${problem}`);
    for (const nested of itemTypesOf(property)) {
      if (isConstrained(nested)) checkClass(subject, nested, checked);
    }
  }
}

function problemOf(property: PropertyMetadata): string | undefined {
  const { isNested, isTyped, designType } = property;
  const items = itemTypesOf(property);
  const binary = [designType, ...items].find(isBinary);
  if (binary) return `is a ${className(binary)}, which cannot be frozen; use a string, such as Base64`;

  const nested = [...items, designType].find(isConstrained);
  if (nested && !isNested) return `contains ${className(nested)}, which has constraints, but lacks @ValidateNested()`;
  if (isNested && !isTyped) {
    return `has @ValidateNested() but lacks @Type(() => ${nested ? className(nested) : 'Class'}), so nested values would be neither instantiated nor validated; if it has @Type(), class-transformer is installed twice (npm ls class-transformer)`;
  }
  const unconstrained = items.find((item) => !isConstrained(item));
  if (isNested && unconstrained) {
    return `has @ValidateNested(), but ${className(unconstrained)} has no class-validator constraint`;
  }
  return undefined;
}

function isBinary(type: unknown): type is AnyClass {
  if (!isClass(type)) return false;
  const { prototype } = type as { readonly prototype: object };
  return BINARY_CLASSES.some((binary) => type === binary || prototype instanceof binary);
}

const BINARY_CLASSES: readonly AnyClass[] = [
  Object.getPrototypeOf(Uint8Array) as AnyClass,
  ArrayBuffer,
  SharedArrayBuffer,
  DataView,
];

/** True for Buffers, typed arrays, views and array buffers, whose bytes JavaScript cannot freeze. */
export const isBinaryValue = (value: unknown): boolean => ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
