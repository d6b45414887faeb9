import type { Type } from '@nestjs/common';
import type { ConfigChange } from './config-change.js';

/** A listener of `StoreService.onChange`. */
export interface ConfigSubscription {
  /** Ends it at once; idempotent. */
  close(): void;
}

/** Who is told of every step of the store. */
export interface ConfigListener {
  /** Changes of one definition that readers see since now, and the class of its values. Never throws. */
  receive(changes: readonly ConfigChange[], type: Type<object>): void;
  /** It is told nothing more. */
  close(): void;
  /** The store ends, not the listener. */
  ended(): void;
}

/** Who listens to changes of configurations. */
export class ConfigListeners {
  /** Replaced, never changed: a notification under way goes on with those it began with. */
  #listeners: readonly ConfigListener[] = [];
  #isClosed = false;

  add(listener: ConfigListener): ConfigSubscription {
    if (this.#isClosed) end(listener);
    else this.#listeners = [...this.#listeners, listener];
    return {
      close: () => {
        this.#listeners = this.#listeners.filter((other) => other !== listener);
        listener.close();
      },
    };
  }

  get isEmpty(): boolean {
    return this.#listeners.length === 0;
  }

  notify(changes: readonly ConfigChange[], type: Type<object>): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener.receive(changes, type);
  }

  close(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#isClosed = true;
    listeners.forEach(end);
  }
}

function end(listener: ConfigListener): void {
  listener.close();
  listener.ended();
}
