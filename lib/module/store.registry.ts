import { Injectable, Module } from '@nestjs/common';
import type { StoreService } from '../store/store.service.js';

interface Slot {
  readonly store: Promise<StoreService>;
  readonly fill: (store: StoreService) => void;
}

/** The stores of an application by cluster, for modules that do not import the module of their cluster. */
@Injectable()
export class StoreRegistry {
  readonly #slots = new Map<string, Slot>();

  /**
   * Resolves when the store of the cluster is loaded. May be called before that. Stays pending if loading fails, because
   * that failure ends the bootstrap.
   */
  of(cluster: string): Promise<StoreService> {
    return this.#slotOf(cluster).store;
  }

  loaded(cluster: string, store: StoreService): void {
    this.#slotOf(cluster).fill(store);
  }

  #slotOf(cluster: string): Slot {
    const known = this.#slots.get(cluster);
    if (known) return known;
    let fill: Slot['fill'] = () => undefined;
    const store = new Promise<StoreService>((resolve) => {
      fill = resolve;
    });
    const slot = { store, fill };
    this.#slots.set(cluster, slot);
    return slot;
  }
}

/** Imported by every `forRoot` and `forFeature`, so that an application has one registry. */
@Module({ providers: [StoreRegistry], exports: [StoreRegistry] })
export class StoreRegistryModule {}
