import type { Observable } from 'rxjs';

/** The registration of this instance as part of a service. */
export interface ServiceRegistration<T extends object> {
  readonly service: string;
  readonly id: string;
  /**
   * Replaces the data. Resolves when etcd has confirmed it.
   * @throws InvalidConfigError if the data is not valid
   * @throws PermissionDeniedError, WriteError if etcd refuses the write, which is retried until `close`
   * @throws InvalidOptionsError if the registration is closed
   */
  update(self: T): Promise<void>;
  /** Deletes the key. Resolves when etcd has answered, or when the module closes. Idempotent. */
  close(): Promise<void>;
}

/** The instances of a service. */
export interface ServiceList<T extends object> {
  /** The data of all registered instances, sorted by id. Frozen; the same array until it changes. Empty at first. */
  readonly value: readonly T[];
  /**
   * Emits the value on subscription, once it has been read from etcd, and then every change of it. Completes when the
   * list or the module closes.
   */
  readonly changes$: Observable<readonly T[]>;
  /** Follows the service no more. `value` remains. Idempotent. */
  close(): void;
}
