import type { Type } from '@nestjs/common';
import { coordinationMissing } from './coordination-options.js';
import type { ServiceDirectory } from './service-directory.js';
import type { ServiceList, ServiceRegistration } from './service-list.js';

/**
 * Typed service discovery: instances register themselves under a service, and others follow the list of them. Requires
 * the option `coordination`.
 *
 * Names and ids are 1 to 128 of the characters A-Z, a-z, 0-9, ".", "_", ":" and "-".
 */
export class ClusterServices {
  readonly #directory: ServiceDirectory | undefined;
  readonly #cluster: string;

  /** @internal */
  constructor(directory: ServiceDirectory | undefined, cluster: string) {
    this.#directory = directory;
    this.#cluster = cluster;
  }

  /**
   * Registers this instance until `close` or the shutdown, under the lease of the process. A registration that is lost
   * is repeated. Resolves when etcd has confirmed it, however long that takes: with an `id` that another process has
   * registered, when that ends.
   *
   * `self`: an instance of a class with validation rules is validated, any other object is written as JSON.
   * `id`: default: an id of this instance, which is new at each start of the process.
   *
   * @throws InvalidConfigError if `self` is not valid
   * @throws PermissionDeniedError, WriteError if etcd refuses the write
   * @throws InvalidOptionsError for an invalid name or id, for an id that this process has registered already, and
   * without the option `coordination`
   * @throws ConnectionClosedError at shutdown
   */
  async register<T extends object>(
    service: string,
    self: T,
    options?: { readonly id?: string },
  ): Promise<ServiceRegistration<T>> {
    return this.#required().register(service, self, options);
  }

  /**
   * Follows the instances of a service, until the list or the module is closed. Values that are no valid `type` are
   * logged and left out.
   *
   * @throws InvalidOptionsError for an invalid name, if `type` is no class with validation rules, and without the option
   * `coordination`
   * @throws ConnectionClosedError at shutdown
   */
  follow<T extends object>(service: string, type: Type<T>): ServiceList<T> {
    return this.#required().follow(service, type);
  }

  #required(): ServiceDirectory {
    if (this.#directory) return this.#directory;
    throw coordinationMissing('ClusterServices', this.#cluster);
  }
}
