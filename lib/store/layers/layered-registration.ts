import type { InitialList, InitialListWait } from '../../watch/sharing/initial-list.js';
import type { ListenerRegistration, StreamState } from '../../watch/sharing/range-listener.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { LayerListener } from './layer-listener.js';

/** The registrations of a feed at the ranges of its layers, as one. */
export class LayeredRegistration implements ListenerRegistration {
  readonly #listeners: readonly LayerListener[];
  readonly #firstRead: InitialList<true>;
  readonly #visible: () => number;

  /**
   * @param firstRead - completes when the layers were read together for the first time
   * @param visible - returns the revision up to which all changes of all layers are visible
   */
  constructor(listeners: readonly LayerListener[], firstRead: InitialList<true>, visible: () => number) {
    this.#listeners = listeners;
    this.#firstRead = firstRead;
    this.#visible = visible;
  }

  get revision(): number {
    return this.#visible();
  }

  get lag(): number {
    return Math.max(...this.#all.map(({ lag }) => lag));
  }

  get clusterId(): string | undefined {
    return this.#all[0]?.clusterId;
  }

  get state(): StreamState {
    const states = this.#all.map(({ state }) => state);
    return (
      states.find((state) => state === 'interrupted') ?? states.find((state) => state === 'starting') ?? 'following'
    );
  }

  get isLagging(): boolean {
    return this.#all.some(({ isLagging }) => isLagging);
  }

  onDrain(): void {
    for (const registration of this.#all) registration.onDrain();
  }

  /** Waits for the list of each layer, and then for the first read of all of them. */
  async whenListed(wait: InitialListWait): Promise<unknown> {
    const until = performance.now() + wait.timeoutMs;
    await Promise.all(
      this.#listeners.map(({ key, registration }) =>
        registration.whenListed({ ...wait, what: `${wait.what}: layer ${quoted(key)}` }),
      ),
    );
    return this.#firstRead.wait({ ...wait, timeoutMs: Math.max(1, until - performance.now()) });
  }

  unregister(): void {
    for (const registration of this.#all) registration.unregister();
  }

  get #all(): readonly ListenerRegistration[] {
    return this.#listeners.map(({ registration }) => registration);
  }
}
