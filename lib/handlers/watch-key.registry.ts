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
   * Attaches the handlers that `handlers: { register: false }` left unregistered.
   * @throws BootError naming every list that could not be read; then none of the handlers is attached
   */
  register(): Promise<void> {
    return this.#register();
  }

  /** @internal */
  fill(handlers: readonly WatchKeyHandler[], register: () => Promise<void>): void {
    this.#handlers = handlers;
    this.#register = register;
  }
}
