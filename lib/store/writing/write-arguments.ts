import { isClass } from '../../dto/class-metadata.js';
import { isStandardSchema } from '../../dto/standard-schema.js';
import type { ValueType } from '../../dto/value-type.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';

/** The arguments of a write after the key. */
export interface WriteArguments<Options> {
  readonly type: ValueType | undefined;
  readonly value: unknown;
  readonly options: Options | undefined;
}

/**
 * Tells `(type, value, options)` from `(value, options)`: a value is data, so it is neither a class nor a schema.
 * @throws InvalidOptionsError if there are further arguments, but the first one is undefined
 */
export function writeArguments<Options>(key: string, given: readonly unknown[]): WriteArguments<Options> {
  const [first, second, third] = given;
  if (first === undefined && second !== undefined) {
    throw new InvalidOptionsError(`put ${quoted(key)}: the class or schema is undefined: check for a circular import`);
  }
  return isClass(first) || isStandardSchema(first)
    ? { type: first as ValueType, value: second, options: third as Options | undefined }
    : { type: undefined, value: first, options: second as Options | undefined };
}
