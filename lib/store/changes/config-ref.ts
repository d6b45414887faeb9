import { Observable } from 'rxjs';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeFailure } from '../../watch/delivery/listener-failure.js';
import type { ConfigChange } from './config-change.js';
import type { ConfigListener, ConfigListeners } from './config-listeners.js';

/** A configuration that is always current, wherever it is kept: nothing is copied when it is injected. */
export interface ConfigRef<T> {
  /** What readers see now: from memory, the same object until it changes. */
  readonly value: T;
  /** The value now, at once, then every other one. Cold; completes when the module closes. */
  readonly changes$: Observable<T>;
}

/** Where a reference gets its value from. */
export interface RefSource<S> {
  /** What readers see now; the same until it changes. */
  readonly read: () => S;
  /** Whether a change may have changed that. */
  readonly concerns: (change: ConfigChange) => boolean;
  readonly listeners: ConfigListeners;
  readonly log: InstanceLog;
  /** As a sentence calls it: `key "/app/db"`. */
  readonly subject: string;
}

/** What a function makes of a configuration: made once for each state of it, and the same object while it comes out the same. */
export class ProjectedConfig<S, R> implements ConfigRef<R> {
  readonly changes$: Observable<R>;
  #memo: { readonly from: S; readonly result: R } | undefined;

  constructor(
    private readonly source: RefSource<S>,
    private readonly project: (state: S) => R,
    private readonly isSame: (a: R, b: R) => boolean = Object.is,
  ) {
    this.changes$ = new Observable((subscriber) => {
      let told: { readonly value: R } | undefined;
      const follower = new Follower(source, {
        look: () => {
          const { value } = this;
          if (told && Object.is(value, told.value)) return;
          told = { value };
          subscriber.next(value);
        },
        ended: () => {
          subscriber.complete();
        },
      });
      follower.look();
      const subscription = source.listeners.add(follower);
      return () => {
        subscription.close();
      };
    });
  }

  get value(): R {
    const from = this.source.read();
    const known = this.#memo;
    if (known && Object.is(known.from, from)) return known.result;
    const made = this.project(from);
    const result = known && this.isSame(known.result, made) ? known.result : made;
    this.#memo = { from, result };
    return result;
  }
}

/** Looks at once, and after every step that may matter. A projection that throws is logged by class and place, and tried again after the next. */
class Follower implements ConfigListener {
  #isClosed = false;

  constructor(
    private readonly source: Pick<RefSource<unknown>, 'concerns' | 'log' | 'subject'>,
    private readonly told: { readonly look: () => void; readonly ended: () => void },
  ) {}

  receive(changes: readonly ConfigChange[]): void {
    if (!this.#isClosed && changes.some(this.source.concerns)) this.look();
  }

  look(): void {
    try {
      this.told.look();
    } catch (error) {
      this.source.log.error(`a projection of ${this.source.subject} failed: ${describeFailure(error)}`);
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  ended(): void {
    this.told.ended();
  }
}
