/**
 * A validator of the Standard Schema specification, version 1 (https://standardschema.dev), such as a schema of zod,
 * valibot or arktype. `Input` is the type of the document, `Output` the type of the validated value.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': StandardSchemaProperties<Input, Output>;
}

/** The members that the specification defines, as far as this library uses them. */
export interface StandardSchemaProperties<Input = unknown, Output = Input> {
  readonly version: 1;
  /** Name of the library, such as `zod`. */
  readonly vendor: string;
  /** Returns the result for a document, or a promise of it. */
  readonly validate: (value: unknown) => StandardSchemaResult<Output> | Promise<StandardSchemaResult<Output>>;
  /** Exists only for the compiler. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** A valid value, or the reasons of its rejection. */
export type StandardSchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardSchemaIssue[] };

/** One reason. Its message may contain values, so it is never read. */
export interface StandardSchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Type of the documents that a schema accepts. */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input'];

/** Type of the values that a schema returns. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];

/** True for objects and functions that claim to be a schema; arktype's schemas are functions. */
export function isStandardSchema(type: unknown): type is StandardSchema {
  if ((typeof type !== 'object' && typeof type !== 'function') || type === null) return false;
  try {
    return '~standard' in type && typeof type['~standard'] === 'object' && type['~standard'] !== null;
  } catch {
    return false;
  }
}
