import type { WatchKeyHandler } from './watch-key.handler.js';

/** The `@WatchKey` methods of one cluster, while the application runs. Filled at `onApplicationBootstrap`. */
export class WatchKeyRegistry {
  #handlers: readonly WatchKeyHandler[] = [];
  #register: () => Promise<void> = () => Promise.resolve();

  /** Returns all handlers, or those with this name: `Class.method`, or only the class. */
  list(name?: string): readonly WatchKeyHandler[] {
    return this.#handlers.filter((handler) => name === undefined || [handler.name, handler.className].includes(name));
  }

  /** Pauses all handlers, or those with this name. */
  pause(name?: string): void {
    for (const handler of this.list(name)) handler.pause();
  }

  /** Resumes all handlers, or those with this name. */
  resume(name?: string): void {
    for (const handler of this.list(name)) handler.resume();
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

  /** @internal */
  fill(handlers: readonly WatchKeyHandler[]): void {
    this.#handlers = handlers;
  }

  /** @internal */
  onRegister(register: () => Promise<void>): void {
    this.#register = register;
  }
}
