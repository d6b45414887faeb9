import { Injectable, Module } from '@nestjs/common';
import type { StoreService } from '../store/store.service.js';
import { Deferred } from '../timing/deferred.js';

/** The stores of an application by cluster, for modules that do not see the one of their cluster. */
@Injectable()
export class StoreRegistry {
  readonly #slots = new Map<string, Deferred<StoreService>>();

  /** Resolves when the store of the cluster is loaded, whoever comes first; never where that fails, which stops the bootstrap by itself. */
  of(cluster: string): Promise<StoreService> {
    return this.#slotOf(cluster).promise;
  }

  loaded(cluster: string, store: StoreService): void {
    this.#slotOf(cluster).resolve(store);
  }

  #slotOf(cluster: string): Deferred<StoreService> {
    let slot = this.#slots.get(cluster);
    if (!slot) this.#slots.set(cluster, (slot = new Deferred()));
    return slot;
  }
}

/** One for each application: imported by every `forRoot` and `forFeature`. */
@Module({ providers: [StoreRegistry], exports: [StoreRegistry] })
export class StoreRegistryModule {}
