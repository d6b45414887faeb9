import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { type LiveValue, ProjectedConfig, type RefSource } from './changes/projected-config.js';
import type { ConfigUpdate, UpdateOptions } from './writing/config-updater.js';
import type { WriteResult } from './writing/config-writer.js';
import type { PutOptions } from './writing/write-options.js';

/**
 * A reference to a configuration that is always current. `Input` is the type of the values that may be written; it
 * differs from `T` only for a schema that transforms its documents.
 */
export interface ConfigRef<T, Input = WritableValue<T>> extends LiveValue<T> {
  /**
   * Replaces the document of this reference's key, as `StoreService.put` with its class.
   * @throws InvalidOptionsError if the reference is not to one key, and the errors of `StoreService.put`
   */
  put(value: Input, options?: PutOptions): Promise<WriteResult>;
  /**
   * Changes the key of this reference by compare-and-swap, as `StoreService.update`. `change` receives `undefined` while
   * the key has no value.
   * @throws InvalidOptionsError if the reference is not to one key, and the errors of `StoreService.update`
   */
  update(change: ConfigUpdate<NonNullable<T>, Input>, options?: UpdateOptions): Promise<WriteResult>;
}

/** The values of one key. A map of a prefix and a projection that is not an object cannot be written. */
export type WritableValue<T> =
  NonNullable<T> extends ReadonlyMap<string, unknown> ? never : NonNullable<T> extends object ? NonNullable<T> : never;

/** Writes the key of a reference. */
export interface RefWrites {
  readonly put: (value: object, options?: PutOptions) => Promise<WriteResult>;
  readonly update: (change: ConfigUpdate<object>, options?: UpdateOptions) => Promise<WriteResult>;
}

/** A projection that can be written if it is the whole value of one key. */
export class StoreRef<S, R> extends ProjectedConfig<S, R> implements ConfigRef<R> {
  readonly #subject: string;
  readonly #writes: RefWrites | undefined;

  constructor(
    source: RefSource<S>,
    project: (state: S) => R,
    { isSame = Object.is, writes }: { isSame?: (a: R, b: R) => boolean; writes?: RefWrites } = {},
  ) {
    super(source, project, isSame);
    this.#subject = source.subject;
    this.#writes = writes;
  }

  async put(value: WritableValue<R>, options?: PutOptions): Promise<WriteResult> {
    return this.#writesFor('put').put(value, options);
  }

  async update(change: ConfigUpdate<NonNullable<R>, WritableValue<R>>, options?: UpdateOptions): Promise<WriteResult> {
    const next = (current: object | undefined): object | Promise<object> =>
      change(current as NonNullable<R> | undefined);
    return this.#writesFor('update').update(next, options);
  }

  #writesFor(operation: string): RefWrites {
    if (this.#writes) return this.#writes;
    throw new InvalidOptionsError(
      `${operation}: a ConfigRef of a prefix or of a projection of ${this.#subject} cannot be written; use StoreService.${operation}`,
    );
  }
}
