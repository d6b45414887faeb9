import { isClass } from '../../dto/class-metadata.js';
import { isStandardSchema } from '../../dto/standard-schema.js';
import type { ValueType } from '../../dto/value-type.js';

/** The arguments of a write after the key. */
export interface WriteArguments<Options> {
  readonly type: ValueType | undefined;
  readonly value: unknown;
  readonly options: Options | undefined;
}

/** Tells `(type, value, options)` from `(value, options)`: a value is data, so it is neither a class nor a schema. */
export function writeArguments<Options>([first, second, third]: readonly unknown[]): WriteArguments<Options> {
  return isClass(first) || isStandardSchema(first)
    ? { type: first as ValueType, value: second, options: third as Options | undefined }
    : { type: undefined, value: first, options: second as Options | undefined };
}
