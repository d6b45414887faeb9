import { checkFunction } from '../../option-checks.js';
import type { Observable } from 'rxjs';
import { GuardedObservable } from '../../watch/delivery/guarded-observable.js';
import type { ListenerGuard } from '../../watch/delivery/listener-guard.js';
import type { ConfigChange } from './config-change.js';
import type { ConfigListener, ConfigListeners, ConfigSubscription } from './config-listeners.js';

/** A value that is always current. */
export interface LiveValue<T> {
  /** The current value, from memory; the same object until it changes. */
  readonly value: T;
  /**
   * Calls the listener with the current value, in a microtask, and then with every later value, in the step in which
   * readers see it. Returns a subscription that ends the calls. What the listener throws or rejects with is logged by
   * class and place, and counted; the next value calls it again.
   *
   * @throws InvalidOptionsError if the listener is not a function
   */
  onChange(listener: (value: T) => unknown): ConfigSubscription;
  /**
   * The same values for operators of RxJS. Cold: emits the current value on subscription, and then every later one;
   * completes when the module closes. Errors of subscribers are logged as those of `onChange`. An operator that throws
   * ends the subscription, as always in RxJS.
   */
  readonly changes$: Observable<T>;
}

/** Source of the value of a reference. */
export interface RefSource<S> {
  /** Returns the current state; the same object until it changes. */
  readonly read: () => S;
  /** True if a change may affect the state. */
  readonly isAffectedBy: (change: ConfigChange) => boolean;
  /** True if `read` returns a pinned state, and not the current one. */
  readonly isPinned: () => boolean;
  /** Calls the function in a context whose reads are not pinned. */
  readonly unpinned: <T>(run: () => T) => T;
  readonly listeners: ConfigListeners;
  readonly guard: ListenerGuard;
  /** Name for messages, such as `key "/app/db"`. */
  readonly subject: string;
}

/**
 * Projects a configuration: calls the function once per state, and keeps the previous result as long as the new one is
 * equal.
 */
export class ProjectedConfig<S, R> implements LiveValue<R> {
  readonly changes$: Observable<R>;
  #pinnedMemo: { readonly from: S; readonly result: R } | undefined;
  #memo: { readonly from: S; readonly result: R } | undefined;

  constructor(
    private readonly source: RefSource<S>,
    private readonly project: (state: S) => R,
    private readonly isSame: (a: R, b: R) => boolean = Object.is,
  ) {
    const guarded = (call: () => unknown): void => {
      source.guard.call('changes$', () => `a subscriber of ${source.subject} failed`, call);
    };
    this.changes$ = new GuardedObservable(guarded, (subscriber) => {
      const listener = new RefListener(source, {
        read: () => source.unpinned(() => this.value),
        next: (value) => {
          subscriber.next(value);
        },
        complete: () => {
          subscriber.complete();
        },
      });
      listener.start();
      const subscription = source.listeners.add(listener);
      return () => {
        subscription.close();
      };
    });
  }

  get value(): R {
    const from = this.source.read();
    const memo = this.#memo;
    if (memo && Object.is(memo.from, from)) return memo.result;
    if (this.source.isPinned()) return this.#pinnedResult(from);
    const projected = this.project(from);
    const result = memo && this.isSame(memo.result, projected) ? memo.result : projected;
    this.#memo = { from, result };
    return result;
  }

  /** Readers of the newest state and pinned readers alternate, so each has its own memory. */
  #pinnedResult(from: S): R {
    const memo = this.#pinnedMemo;
    if (memo && Object.is(memo.from, from)) return memo.result;
    const result = this.project(from);
    this.#pinnedMemo = { from, result };
    return result;
  }

  onChange(listener: (value: R) => unknown): ConfigSubscription {
    const { guard, listeners, subject } = this.source;
    checkFunction(`the listener of ${subject}`, listener);
    const calls = new RefListener<R>(this.source, {
      read: () => this.source.unpinned(() => this.value),
      next: (value) => {
        guard.call(
          'onChange',
          () => `a listener of ${subject} failed`,
          () => listener(value),
        );
      },
      complete: () => undefined,
    });
    const subscription = listeners.add(calls);
    // The caller has the subscription before the first call.
    queueMicrotask(() => {
      calls.start();
    });
    return subscription;
  }
}

/** The observer of a reference, and its current value. */
interface RefObserver<T> {
  readonly read: () => T;
  readonly next: (value: T) => void;
  readonly complete: () => void;
}

/** Passes on each new value. An error of the projection is logged; the next change calls it again. */
class RefListener<T> implements ConfigListener {
  #last: { readonly value: T } | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(
    private readonly source: Pick<RefSource<unknown>, 'isAffectedBy' | 'guard' | 'subject'>,
    private readonly observer: RefObserver<T>,
  ) {}

  start(): void {
    this.#isStarted = true;
    this.#update();
  }

  receive(changes: readonly ConfigChange[]): void {
    if (this.#isStarted && changes.some(this.source.isAffectedBy)) this.#update();
  }

  close(): void {
    this.#isClosed = true;
  }

  completed(): void {
    this.observer.complete();
  }

  #update(): void {
    if (this.#isClosed) return;
    this.source.guard.call(
      'projection',
      () => `a projection of ${this.source.subject} failed`,
      () => {
        const value = this.observer.read();
        if (this.#last && Object.is(value, this.#last.value)) return;
        this.#last = { value };
        this.observer.next(value);
      },
    );
  }
}
