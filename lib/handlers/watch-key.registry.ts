import type { WatchTarget } from '../backend/key-range.js';
import type { WatchSubscription } from '../watch/delivery/watch-options.js';
import { type HandlerPlan, HandlerCounters } from './handler.plan.js';
import { describeHandlerTarget } from './handler-target.js';

/** One `@WatchKey` of one method, while the application runs. */
export class WatchKeyHandler {
  readonly className: string;
  readonly method: string;
  /** As the decorator says it. */
  readonly target: WatchTarget;
  /** As a sentence calls it: `prefix "/orders/"`. */
  readonly targetName: string;
  /** @internal */
  readonly counters = new HandlerCounters();
  #subscription: WatchSubscription | undefined;
  #isPaused = false;

  /** @internal */
  constructor({ method, target }: HandlerPlan) {
    this.className = method.type.name;
    this.method = method.method;
    this.target = target.source;
    this.targetName = describeHandlerTarget(target);
  }

  /** `Class.method`. */
  get name(): string {
    return `${this.className}.${this.method}`;
  }

  /**
   * `unregistered`: it watches nothing (`handlers: { register: false }`, or the application has not started). `starting`, `following`,
   * `interrupted`: it watches, once etcd has accepted its stream, and goes on trying when the connection is lost. `paused`: no call starts. `halted`: no call starts after one that failed for the last time (`onExhausted: 'halt'`);
   * `resume()` goes on with it. `closed`: the application stops.
   */
  get state(): 'unregistered' | WatchSubscription['status'] | 'paused' | 'halted' {
    if (!this.#subscription) return 'unregistered';
    const { status, paused, halted } = this.#subscription;
    if (status === 'closed') return status;
    if (halted) return 'halted';
    return paused ? 'paused' : status;
  }

  /** Everything up to this revision has been handed over (queued, if the method is busy). */
  get revision(): number {
    return this.#subscription?.revision ?? 0;
  }

  /** Events that wait, and calls that run. */
  get pending(): number {
    return this.#subscription?.pending ?? 0;
  }

  /** Calls that began, also those that were made again, and those that ended before the method: `invalid`, `refused`. */
  get calls(): number {
    return this.#subscription?.calls ?? 0;
  }

  /** Calls that failed, also those that were made again. */
  get failures(): number {
    return this.#subscription?.failures ?? 0;
  }

  /** Values that were not valid. */
  get invalid(): number {
    return this.counters.invalid;
  }

  /** Calls that a guard did not let pass. */
  get refused(): number {
    return this.counters.refused;
  }

  /** Starts no further call until `resume()`; nothing is lost. Before the handler is registered, it begins paused. */
  pause(): void {
    this.#isPaused = true;
    this.#subscription?.pause();
  }

  /** Goes on, with what has come meanwhile. */
  resume(): void {
    this.#isPaused = false;
    this.#subscription?.resume();
  }

  /** @internal */
  attached(subscription: WatchSubscription): void {
    this.#subscription = subscription;
    if (this.#isPaused) subscription.pause();
  }

  /** @internal */
  async detach(): Promise<void> {
    await this.#subscription?.close();
    this.#subscription = undefined;
  }
}

/** The `@WatchKey` methods of one cluster, while the application runs. They are known from `onApplicationBootstrap` on. */
export class WatchKeyRegistry {
  #handlers: readonly WatchKeyHandler[] = [];
  #register: () => Promise<void> = () => Promise.resolve();

  /** All of them, or those with this name: `Class.method`, or the class alone. */
  list(name?: string): readonly WatchKeyHandler[] {
    return this.#handlers.filter((handler) => name === undefined || [handler.name, handler.className].includes(name));
  }

  /** Starts no further call of all of them, or of those with this name, until `resume`. */
  pause(name?: string): void {
    for (const handler of this.list(name)) handler.pause();
  }

  /** All of them, or those with this name, go on, with what has come meanwhile. */
  resume(name?: string): void {
    for (const handler of this.list(name)) handler.resume();
  }

  /**
   * Attaches the handlers that are not yet, where `handlers: { register: false }` kept them from it.
   * @throws BootError naming every list that could not be read; then none of them is attached
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
