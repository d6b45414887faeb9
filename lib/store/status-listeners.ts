import type { Observable } from 'rxjs';
import type { ListenerGuard } from '../watch/delivery/listener-guard.js';
import { ValueListeners } from './changes/value-listeners.js';

/** The subscribers of `StoreService.status$`. Several changes of the status in one step are one. */
export class StatusListeners<Status> {
  readonly #listeners: ValueListeners<Status>;
  #isDue = false;

  constructor(read: () => Status, guard: ListenerGuard) {
    this.#listeners = new ValueListeners({ read, guard, subject: 'the status of the store' });
  }

  get changes$(): Observable<Status> {
    return this.#listeners.changes$;
  }

  /** To be called when something that the status depends on may have changed. */
  changed(): void {
    if (this.#isDue || this.#listeners.isEmpty) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#listeners.notify();
    });
  }

  /** Passes on the last status, and completes. */
  close(): void {
    this.#listeners.notify();
    this.#listeners.close();
  }
}
