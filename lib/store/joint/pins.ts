import { AsyncLocalStorage } from 'node:async_hooks';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** The state that a pinned function reads: all definitions at one revision. */
export class PinnedState {
  /** False when the function has ended: what it has left behind reads the newest values. */
  isActive = true;
  readonly #views: ReadonlyMap<DefinitionFeed, ReadonlySortedMap<object>>;

  constructor(
    views: ReadonlyMap<DefinitionFeed, ReadonlySortedMap<object>>,
    /** The revision at which it existed; 0 if it is not known. */
    readonly revision: number,
  ) {
    this.#views = views;
  }

  viewOf(feed: DefinitionFeed): ReadonlySortedMap<object> {
    return this.#views.get(feed) ?? feed.cache.view();
  }
}

/** The pinned functions of a store, found by the asynchronous context of a read. */
export class Pins {
  readonly #storage = new AsyncLocalStorage<PinnedState>();
  #active = 0;

  /** The state of the caller's context. Costs one comparison while no function is pinned. */
  get current(): PinnedState | undefined {
    if (this.#active === 0) return undefined;
    const pinned = this.#storage.getStore();
    return pinned?.isActive === true ? pinned : undefined;
  }

  /** Calls the function in a context whose reads see the state. The caller ends the pin. */
  begin<R>(state: PinnedState, run: () => R): R {
    this.#active += 1;
    return this.#storage.run(state, run);
  }

  end(state: PinnedState): void {
    if (!state.isActive) return;
    state.isActive = false;
    this.#active -= 1;
  }

  /** Calls the function in a context without a pin. */
  outside<R>(run: () => R): R {
    return this.current ? this.#storage.exit(run) : run();
  }
}
