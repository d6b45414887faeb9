import { Observable, type Observer, type Subscriber, type Subscription, type TeardownLogic } from 'rxjs';

/** Calls a subscriber and keeps what it throws or rejects with. */
export type GuardedCall = (call: () => unknown) => void;

/** Operators that `pipe` applies, as RxJS passes them to a subclass of `Observable`. */
interface AppliedOperator<R> {
  call(subscriber: Subscriber<R>, source: unknown): TeardownLogic;
}

/**
 * An observable whose subscribers cannot end the process: RxJS throws what a subscriber throws, and an error without an
 * error handler, in a timer, where nothing can catch it. Observables that `pipe` returns are guarded as well.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #guard: GuardedCall;

  constructor(guard: GuardedCall, subscribe: (subscriber: Subscriber<T>) => TeardownLogic) {
    super((subscriber) => subscribe(subscriber));
    this.#guard = guard;
  }

  override lift<R>(operator?: AppliedOperator<R>): Observable<R> {
    return new GuardedObservable<R>(this.#guard, (subscriber) => operator?.call(subscriber, this));
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator or a subject of RxJS, which passes values on: the subscriber behind it is guarded.
    if (isSubscriber<T>(observerOrNext)) return super.subscribe(observerOrNext);
    const observer: Partial<Observer<T>> =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : {
            ...(observerOrNext && { next: observerOrNext }),
            ...(error && { error }),
            ...(complete && { complete }),
          };
    return super.subscribe(this.#guarded(observer));
  }

  #guarded(observer: Partial<Observer<T>>): Observer<T> {
    return {
      next: (value) => {
        this.#guard(() => observer.next?.(value));
      },
      error: (error: unknown) => {
        this.#guard(() => {
          if (!observer.error) throw error;
          const handled: unknown = (observer.error as (error: unknown) => unknown)(error);
          return handled;
        });
      },
      complete: () => {
        this.#guard(() => observer.complete?.());
      },
    };
  }
}

const isSubscriber = <T>(observer: unknown): observer is Subscriber<T> =>
  typeof observer === 'object' && observer !== null && 'add' in observer && 'remove' in observer;
