import type { Type } from '@nestjs/common';
import type { Fence } from './backend/fence.js';
import type { SchemaInput, StandardSchema } from './dto/standard-schema.js';

/** A value; not a class or a schema, which a value must follow. */
export type ValueOnly<V extends object> = V extends Type<object> | StandardSchema ? never : V;

/** The conditions of a write in a transaction. */
export interface TransactionPutOptions {
  /** Write only if the key was last written at this revision. */
  readonly ifRevision?: number | undefined;
  /** Write only if the key is absent. */
  readonly ifAbsent?: boolean | undefined;
  /**
   * For a definition with layers: the layer to write. `ifRevision` and `ifAbsent` apply to it.
   * @default the key, if it is one of the layers
   */
  readonly layer?: string | undefined;
}

/** Collects the writes of a transaction; nothing is sent before all of them are known. */
export interface ConfigTransaction {
  /**
   * Adds a write of a value, which is validated. If `ifRevision` or `ifAbsent` does not hold, the transaction is not
   * applied.
   */
  put<V extends object>(key: string, value: ValueOnly<V>, options?: TransactionPutOptions): void;
  /** The same, with a value that the compiler checks against the class of the key. */
  put<T extends object>(key: string, type: Type<T>, value: NoInfer<T>, options?: TransactionPutOptions): void;
  /** The same, with a value that the compiler checks against the schema of the key. */
  put<S extends StandardSchema>(key: string, schema: S, value: SchemaInput<S>, options?: TransactionPutOptions): void;
  /**
   * Adds a deletion. If `ifRevision` does not hold, the transaction is not applied. Deleting an absent key has no
   * effect.
   */
  delete(key: string, options?: Pick<TransactionPutOptions, 'ifRevision' | 'layer'>): void;
  /**
   * The transaction is applied only if this instance still owns what the fence stands for. May be called once for each
   * fence.
   */
  requireFence(fence: Fence): void;
}
