import { Injectable, Module } from '@nestjs/common';
import type { StoreService } from '../store/store.service.js';
import { Deferred } from '../timing/deferred.js';

/** The stores of an application by cluster, for modules that do not import the module of their cluster. */
@Injectable()
export class StoreRegistry {
  readonly #slots = new Map<string, Deferred<StoreService>>();

  /**
   * Resolves when the store of the cluster is loaded. May be called before that. Stays pending if loading fails, because
   * that failure ends the bootstrap.
   */
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

/** Imported by every `forRoot` and `forFeature`, so that an application has one registry. */
@Module({ providers: [StoreRegistry], exports: [StoreRegistry] })
export class StoreRegistryModule {}
