import type { IOptions } from 'etcd3';
import type { WatchSubscription } from 'nestjs-etcd-trigger';
import { Recorder } from '../../support/recorder.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import type { Writer } from './writer.js';

const POLL_MS = 1;
/** Much longer than any limit. */
const STATUS_TIMEOUT_MS = 60_000;

/** An application that watches one prefix. It measures changes of the watch's status. */
export class Follower implements AsyncDisposable {
  readonly #app: StartedApp;

  private constructor(
    app: StartedApp,
    readonly subscription: WatchSubscription,
    readonly recorder: Recorder,
  ) {
    this.#app = app;
  }

  /** Resolves when the watch has received its first event. */
  static async start(writer: Writer, client: IOptions & { readonly hosts: string | string[] }): Promise<Follower> {
    const app = await startApp({ hosts: client.hosts, client });
    const recorder = new Recorder();
    const subscription = await app.watcher.watch(writer.prefix, recorder.onEvent, {
      initial: false,
      onResync: recorder.onResync,
    });
    const follower = new Follower(app, subscription, recorder);
    await writer.verifyDelivery(follower);
    return follower;
  }

  /** Resolves with the time at which the watch has this status, on the clock of `performance.now()`. */
  whenStatus(status: WatchSubscription['status']): Promise<number> {
    const until = performance.now() + STATUS_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => {
        const now = performance.now();
        if (this.subscription.status !== status && now <= until) return;
        clearInterval(timer);
        if (this.subscription.status === status) resolve(now);
        else
          reject(
            new Error(`the watch is ${this.subscription.status} instead of ${status} after ${STATUS_TIMEOUT_MS} ms`),
          );
      }, POLL_MS);
    });
  }

  /** Returns the milliseconds from a fault, which interrupts the watch, until the watch follows again. */
  async recovery(fault: () => unknown): Promise<number> {
    const again = this.whenStatus('interrupted').then(() => this.whenStatus('following'));
    const since = performance.now();
    await fault();
    return (await again) - since;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app[Symbol.asyncDispose]();
  }
}
