import { Observable } from 'rxjs';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeFailure } from '../../watch/delivery/listener-failure.js';
import type { ConfigChange } from './config-change.js';
import type { ConfigListener, ConfigListeners } from './config-listeners.js';

/** A reference to a configuration that is always current. */
export interface ConfigRef<T> {
  /** The current value, from memory; the same object until it changes. */
  readonly value: T;
  /** Emits the current value on subscription, and then every change of it. Cold; completes when the module closes. */
  readonly changes$: Observable<T>;
}

/** Source of the value of a reference. */
export interface RefSource<S> {
  /** Returns the current state; the same object until it changes. */
  readonly read: () => S;
  /** True if a change may affect the state. */
  readonly isAffectedBy: (change: ConfigChange) => boolean;
  readonly listeners: ConfigListeners;
  readonly log: InstanceLog;
  /** Name for messages, such as `key "/app/db"`. */
  readonly subject: string;
}

/**
 * Projects a configuration: calls the function once per state, and keeps the previous result as long as the new one is
 * equal.
 */
export class ProjectedConfig<S, R> implements ConfigRef<R> {
  readonly changes$: Observable<R>;
  #memo: { readonly from: S; readonly result: R } | undefined;

  constructor(
    private readonly source: RefSource<S>,
    private readonly project: (state: S) => R,
    private readonly isSame: (a: R, b: R) => boolean = Object.is,
  ) {
    this.changes$ = new Observable((subscriber) => {
      let emitted: { readonly value: R } | undefined;
      const listener = new RefListener(source, {
        update: () => {
          const { value } = this;
          if (emitted && Object.is(value, emitted.value)) return;
          emitted = { value };
          subscriber.next(value);
        },
        complete: () => {
          subscriber.complete();
        },
      });
      listener.update();
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
    const projected = this.project(from);
    const result = memo && this.isSame(memo.result, projected) ? memo.result : projected;
    this.#memo = { from, result };
    return result;
  }
}

/**
 * Updates an observer after every change that affects the source. An error of the projection is logged by class and
 * location; the next change calls it again.
 */
class RefListener implements ConfigListener {
  #isClosed = false;

  constructor(
    private readonly source: Pick<RefSource<unknown>, 'isAffectedBy' | 'log' | 'subject'>,
    private readonly observer: { readonly update: () => void; readonly complete: () => void },
  ) {}

  receive(changes: readonly ConfigChange[]): void {
    if (!this.#isClosed && changes.some(this.source.isAffectedBy)) this.update();
  }

  update(): void {
    try {
      this.observer.update();
    } catch (error) {
      this.source.log.error(`a projection of ${this.source.subject} failed: ${describeFailure(error)}`);
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  completed(): void {
    this.observer.complete();
  }
}
