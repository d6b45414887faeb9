import { checkFunction } from '../../option-checks.js';
import type { Observable, Subscriber } from 'rxjs';
import { GuardedObservable } from '../../watch/delivery/guarded-observable.js';
import type { ListenerGuard } from '../../watch/delivery/listener-guard.js';
import type { ConfigSubscription } from './config-listeners.js';

export interface ValueSource<T> {
  /** Returns the current value; the same object until it changes. */
  readonly read: () => T;
  /**
   * False while there is no value yet: listeners wait for the first one.
   * @default always true
   */
  readonly isKnown?: () => boolean;
  readonly guard: ListenerGuard;
  /** Name for messages, such as `the status of the store`. */
  readonly subject: string;
}

/** The listeners of a value that its owner replaces. Each receives the current value first, and then every later one. */
export class ValueListeners<T> {
  /** Cold: emits the current value on subscription. Completes when the owner closes. */
  readonly changes$: Observable<T>;
  readonly #source: ValueSource<T>;
  readonly #listeners = new Set<ValueListener<T>>();
  readonly #subscribers = new Set<Subscriber<T>>();
  #isClosed = false;

  constructor(source: ValueSource<T>) {
    this.#source = source;
    const { guard, subject } = source;
    const guarded = (call: () => unknown): void => {
      guard.call('changes$', () => `a subscriber of ${subject} failed`, call);
    };
    this.changes$ = new GuardedObservable(guarded, (subscriber) => {
      const listener = new ValueListener(source, (value) => {
        subscriber.next(value);
      });
      listener.start();
      if (this.#isClosed) subscriber.complete();
      else {
        this.#subscribers.add(subscriber);
        this.#listeners.add(listener);
      }
      return () => {
        this.#subscribers.delete(subscriber);
        this.#listeners.delete(listener);
        listener.close();
      };
    });
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /**
   * Calls the listener with the current value in a microtask, so that the caller has the subscription before.
   * @throws InvalidOptionsError if the listener is not a function
   */
  onChange(call: (value: T) => unknown): ConfigSubscription {
    const { guard, subject } = this.#source;
    checkFunction(`the listener of ${subject}`, call);
    const listener = new ValueListener(this.#source, (value) => {
      guard.call(
        'onChange',
        () => `a listener of ${subject} failed`,
        () => call(value),
      );
    });
    if (!this.#isClosed) this.#listeners.add(listener);
    queueMicrotask(() => {
      listener.start();
    });
    return {
      close: () => {
        this.#listeners.delete(listener);
        listener.close();
      },
    };
  }

  /** Passes the current value on, if it is another one. A listener may cause a further change meanwhile. */
  notify(): void {
    for (const listener of [...this.#listeners]) listener.update();
  }

  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    for (const subscriber of [...this.#subscribers]) subscriber.complete();
    this.#subscribers.clear();
  }
}

/** Skips a value that it has passed on already. */
class ValueListener<T> {
  #last: { readonly value: T } | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(
    private readonly source: Pick<ValueSource<T>, 'read' | 'isKnown'>,
    private readonly next: (value: T) => void,
  ) {}

  start(): void {
    this.#isStarted = true;
    this.update();
  }

  update(): void {
    if (!this.#isStarted || this.#isClosed || this.source.isKnown?.() === false) return;
    const value = this.source.read();
    if (this.#last && Object.is(value, this.#last.value)) return;
    this.#last = { value };
    this.next(value);
  }

  close(): void {
    this.#isClosed = true;
  }
}
