import type { WatchHeader, WatchMessage, WatchStream } from '../../../lib/backend/list-watcher.js';
import { ConnectionError, type EtcdTriggerError } from '../../../lib/etcd-trigger.errors.js';
import { Deferred } from '../../../lib/timing/deferred.js';

/** A watch that may be accepted late or never, and whose messages may wait for a suspended process. */
export class InterruptedStream implements WatchStream {
  readonly created: Promise<WatchHeader>;
  readonly #ended = new Deferred<EtcdTriggerError>();
  readonly #suspended: () => Promise<void> | undefined;
  #inner: WatchStream | undefined;
  #receive: ((message: WatchMessage) => void) | undefined;
  #isPaused = false;
  #isCancelled = false;
  #waiting: WatchMessage[] = [];

  /**
   * @param send asks for the watch, and returns the answer
   * @param suspended resolves when the process continues; `undefined` while it runs
   */
  constructor(
    send: (open: () => Promise<WatchHeader>) => Promise<WatchHeader>,
    watch: () => WatchStream,
    suspended: () => Promise<void> | undefined,
  ) {
    this.#suspended = suspended;
    this.created = send(() => this.#open(watch()));
    this.created.catch((error: unknown) => {
      this.#end(error);
    });
  }

  get ended(): Promise<EtcdTriggerError> {
    return this.#ended.promise;
  }

  deliver(receive: (message: WatchMessage) => void): void {
    this.#receive = receive;
    this.#begin();
  }

  stampsAt(revision: number, options: { readonly linearizable: boolean }): ReturnType<WatchStream['stampsAt']> {
    if (!this.#inner) return Promise.reject(new ConnectionError('the watch is not open'));
    return this.#inner.stampsAt(revision, options);
  }

  pause(): void {
    this.#isPaused = true;
    this.#inner?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#inner?.resume();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#inner?.cancel();
    this.#end(new ConnectionError('the watch was cancelled'));
  }

  #open(inner: WatchStream): Promise<WatchHeader> {
    this.#inner = inner;
    void inner.ended.then((reason) => {
      this.#end(reason);
    });
    if (this.#isPaused) inner.pause();
    if (this.#isCancelled) inner.cancel();
    else this.#begin();
    return inner.created;
  }

  #begin(): void {
    if (!this.#receive) return;
    this.#inner?.deliver((message) => {
      this.#waiting.push(message);
      const suspended = this.#suspended();
      if (!suspended) this.#flush();
      else if (this.#waiting.length === 1)
        void suspended.then(() => {
          this.#flush();
        });
    });
  }

  #flush(): void {
    for (const message of this.#waiting.splice(0)) if (!this.#isCancelled) this.#receive?.(message);
  }

  #end(reason: unknown): void {
    this.#ended.resolve(reason as EtcdTriggerError);
  }
}
