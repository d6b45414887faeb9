import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';
import { checkDtoType } from './dto-type.js';
import { isStandardSchema, type StandardSchema } from './standard-schema.js';

/** The class of a value, or its schema. Identifies a definition together with its target. */
export type ValueType<T extends object = object> = Type<T> | StandardSchema<unknown, T>;

/** The options `type` and `schema` of a definition or a handler, of which one may be given. */
export interface GivenType {
  readonly type?: unknown;
  readonly schema?: unknown;
}

/**
 * `subject` names the definition or handler, such as `key "/app/db"`.
 * @throws InvalidOptionsError if neither or both are given, and for a class or schema that cannot be used
 */
export function valueTypeOf(subject: string, { type, schema }: GivenType): ValueType {
  if (schema !== undefined) {
    if (type !== undefined) {
      throw new InvalidOptionsError(`${subject} has both a "type" and a "schema"; give one of them`);
    }
    return checkSchema(subject, schema);
  }
  if (isStandardSchema(type)) {
    throw new InvalidOptionsError(
      `the "type" of ${subject} is a schema of ${vendorOf(type)}: give it as "schema" instead`,
    );
  }
  if (type === undefined) {
    throw new InvalidOptionsError(`the definition of ${subject} needs a class as its "type", or a "schema"`);
  }
  checkDtoType(subject, type);
  return type as Type<object>;
}

/** Name of the class, or of the kind of schema, for messages: `DatabaseConfig`, `zod schema`. */
export function typeName(type: unknown): string {
  return isStandardSchema(type) ? `${vendorOf(type)} schema` : className(type);
}

function vendorOf({ '~standard': standard }: StandardSchema): string {
  const { vendor } = standard as { readonly vendor: unknown };
  return typeof vendor === 'string' ? printable(vendor) : 'an unknown library';
}

/** The same where a message means a value: `DatabaseConfig`, `value of its zod schema`. */
export const valueName = (type: unknown): string =>
  isStandardSchema(type) ? `value of its ${typeName(type)}` : className(type);

function checkSchema(subject: string, schema: unknown): ValueType {
  if (!isStandardSchema(schema)) {
    throw new InvalidOptionsError(
      `the "schema" of ${subject} is not a Standard Schema, such as those of zod, valibot and arktype`,
    );
  }
  if (!isVersion1(schema)) {
    throw new InvalidOptionsError(
      `the "schema" of ${subject} does not implement version 1 of Standard Schema: update its library`,
    );
  }
  return schema as StandardSchema<unknown, object>;
}

function isVersion1(schema: StandardSchema): boolean {
  try {
    const { version, validate } = schema['~standard'] as Partial<Record<'version' | 'validate', unknown>>;
    return version === 1 && typeof validate === 'function';
  } catch {
    return false;
  }
}
