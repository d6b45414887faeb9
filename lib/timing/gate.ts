import { Deferred } from './deferred.js';

/** Makes callers wait while it is closed. A new gate is closed. */
export class Gate {
  #closed: Deferred | undefined = new Deferred();

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /** Resolves as soon as the gate is open. */
  whenOpen(): Promise<void> {
    return this.#closed?.promise ?? Promise.resolve();
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  close(): void {
    this.#closed ??= new Deferred();
  }
}
