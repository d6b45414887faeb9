import type { ValueType } from '../../dto/value-type.js';
import { callingPlace } from './subscription-place.js';
import type { ConfigChange } from './config-change.js';

/** A listener of `StoreService.onChange`. */
export interface ConfigSubscription {
  /** Closes the subscription immediately; idempotent. */
  close(): void;
}

/** Receives every update of the store. */
export interface ConfigListener {
  /** Receives the changes of one definition and the class of its values. Never throws. */
  receive(changes: readonly ConfigChange[], type: ValueType): void;
  /** Called when the listener receives nothing more. */
  close(): void;
  /** Called when the store closes, but not when the listener closes its subscription. */
  completed(): void;
}

/** Receives the outcome of each notification. */
export interface NotificationOutcome {
  /** Called with what a listener throws although it must not. */
  failed(error: unknown): void;
  /** Called if no listener has thrown. */
  succeeded(): void;
  /** Called once, when more listeners are open than an application has that closes them. */
  crowded(count: number, place: string | undefined): void;
}

export class ConfigListeners {
  /** Never modified in place, so a notification continues with the listeners that it started with. */
  #listeners: readonly ConfigListener[] = [];
  #isClosed = false;
  #isCrowded = false;

  constructor(private readonly outcome: NotificationOutcome) {}

  add(listener: ConfigListener): ConfigSubscription {
    if (this.#isClosed) complete(listener);
    else this.#listeners = [...this.#listeners, listener];
    if (this.#listeners.length >= CROWD && !this.#isCrowded) {
      this.#isCrowded = true;
      this.outcome.crowded(this.#listeners.length, callingPlace());
    }
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

  notify(changes: readonly ConfigChange[], type: ValueType): void {
    if (changes.length === 0) return;
    let hasFailed = false;
    for (const listener of this.#listeners) {
      try {
        listener.receive(changes, type);
      } catch (error) {
        hasFailed = true;
        this.outcome.failed(error);
      }
    }
    if (!hasFailed) this.outcome.succeeded();
  }

  close(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#isClosed = true;
    listeners.forEach(complete);
  }
}

function complete(listener: ConfigListener): void {
  listener.close();
  listener.completed();
}

/** Number of open listeners that is reported. */
const CROWD = 1_000;
