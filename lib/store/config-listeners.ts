import type { InstanceLog } from '../watch/instance-log.js';
import { describeFailure } from '../watch/listener-failure.js';
import type { ConfigCache, ConfigChange } from './config-cache.js';

/** A listener of `StoreService.onChange`. */
export interface ConfigSubscription {
  /** Ends it at once; idempotent. */
  close(): void;
}

interface Listener {
  readonly prefix: string;
  readonly call: (change: ConfigChange) => void;
  readonly ended: () => void;
  /** Has been given what exists; until then changes are part of that. */
  isStarted: boolean;
  isClosed: boolean;
}

/** Who listens to changes of configurations. One that throws, ends itself or writes from inside harms nobody. */
export class ConfigListeners {
  readonly #log: InstanceLog;
  readonly #cachesUnder: (prefix: string) => readonly ConfigCache<object>[];
  /** Replaced, never changed: a notification under way goes on with those it began with. */
  #listeners: readonly Listener[] = [];

  constructor(log: InstanceLog, cachesUnder: (prefix: string) => readonly ConfigCache<object>[]) {
    this.#log = log;
    this.#cachesUnder = cachesUnder;
  }

  /** What exists is given in a microtask, so that the listener can be ended from inside. */
  add(prefix: string, call: (change: ConfigChange) => void, ended: () => void = () => undefined): ConfigSubscription {
    const listener: Listener = { prefix, call, ended, isStarted: false, isClosed: false };
    this.#listeners = [...this.#listeners, listener];
    queueMicrotask(() => {
      listener.isStarted = true;
      for (const change of this.#existing(prefix)) this.#call(listener, change);
    });
    return {
      close: () => {
        this.#remove(listener);
      },
    };
  }

  notify(changes: readonly ConfigChange[]): void {
    for (const listener of this.#listeners) {
      if (!listener.isStarted) continue;
      for (const change of changes) if (change.key.startsWith(listener.prefix)) this.#call(listener, change);
    }
  }

  close(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) {
      listener.isClosed = true;
      listener.ended();
    }
  }

  #remove(listener: Listener): void {
    listener.isClosed = true;
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  #existing(prefix: string): ConfigChange[] {
    return this.#cachesUnder(prefix).flatMap((cache) =>
      Array.from(cache.entries(prefix), ([key, value]) => ({
        type: 'put' as const,
        key,
        value,
        revision: cache.entry(key).revision,
        origin: 'initial' as const,
      })),
    );
  }

  #call(listener: Listener, change: ConfigChange): void {
    if (listener.isClosed) return;
    try {
      listener.call(change);
    } catch (error) {
      this.#log.error(
        `a listener of changes under "${listener.prefix}" failed for "${change.key}": ${describeFailure(error)}`,
      );
    }
  }
}
