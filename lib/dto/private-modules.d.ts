/**
 * Modules of class-transformer and class-validator that their packages do not export. The manifest of this package maps
 * `#class-transformer/*` and `#class-validator/*` to the build that the public import resolves to, bundlers included.
 */

declare module '#class-transformer/storage.js' {
  export const defaultMetadataStorage: object;
}

declare module '#class-transformer/constants/default-options.constant.js' {
  export const defaultOptions: object;
}

declare module '#class-transformer/TransformOperationExecutor.js' {
  /** Converts values, one at a time. */
  export class TransformOperationExecutor {
    constructor(transformation: number, options: object);
    transform(source: undefined, value: unknown, type: unknown): unknown;
    getKeys(type: unknown, object: object, isMap: boolean | undefined): string[];
  }
}

declare module '#class-validator/validation/ValidationExecutor.js' {
  import type { getMetadataStorage, ValidationError, Validator, ValidatorOptions } from 'class-validator';

  /** The metadata of a constraint of one property. */
  export interface Constraint {
    readonly name?: string;
    readonly each?: boolean;
  }

  /**
   * The part of class-validator that `validate` and `validateSync` share. `validate` is never synchronous, and
   * `validateSync` ignores the result of an asynchronous validator without the `async` flag.
   */
  export class ValidationExecutor {
    constructor(validator: Validator, options: ValidatorOptions);
    readonly metadataStorage: ReturnType<typeof getMetadataStorage>;
    readonly awaitingPromises: readonly Promise<unknown>[];
    execute(object: object, targetSchema: string, errors: ValidationError[]): void;
    customValidations(object: object, value: unknown, metadatas: readonly Constraint[], error: ValidationError): void;
  }
}
