import { someOf } from '../foreign/foreign-text.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { described } from '../option-checks.js';
import type { WatchKeyHandler } from './watch-key.handler.js';

/** The `@WatchKey` methods of one cluster, while the application runs. Filled at `onApplicationBootstrap`. */
export class WatchKeyRegistry {
  #handlers: readonly WatchKeyHandler[] = [];
  #register: () => Promise<void> = () => Promise.resolve();

  /** Returns all handlers, or those with this name: `Class.method`, or only the class. */
  list(name?: string): readonly WatchKeyHandler[] {
    return this.#handlers.filter((handler) => name === undefined || [handler.name, handler.className].includes(name));
  }

  /**
   * Pauses all handlers, or those with this name.
   * @throws InvalidOptionsError if no handler has the name
   */
  pause(name?: string): void {
    for (const handler of this.#named('pause', name)) handler.pause();
  }

  /**
   * Resumes all handlers, or those with this name.
   * @throws InvalidOptionsError if no handler has the name
   */
  resume(name?: string): void {
    for (const handler of this.#named('resume', name)) handler.resume();
  }

  /**
   * Finds the decorated methods of modules that were loaded lazily since the last call, and attaches them. Also
   * attaches the handlers that `handlers: { register: false }` left unregistered. May be called again.
   * @throws BootError naming every method that can never run, or every list that could not be read; then none of the
   * new handlers is attached
   */
  register(): Promise<void> {
    return this.#register();
  }

  #named(operation: string, name: string | undefined): readonly WatchKeyHandler[] {
    const handlers = this.list(name);
    if (name === undefined || handlers.length > 0) return handlers;
    const known = this.#handlers.map((handler) => handler.name);
    const hint = known.length > 0 ? `the handlers are ${someOf(known)}` : 'there are no handlers';
    throw new InvalidOptionsError(`${operation}: no handler is named ${described(name)}; ${hint}`);
  }

  /** @internal */
  fill(handlers: readonly WatchKeyHandler[]): void {
    this.#handlers = handlers;
  }

  /** @internal */
  onRegister(register: () => Promise<void>): void {
    this.#register = register;
  }
}
