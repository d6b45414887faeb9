import { checkFunction, checkText } from '../../option-checks.js';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { ListenerGuard } from '../../watch/delivery/listener-guard.js';
import type { ConfigSubscription } from './config-listeners.js';

/** A value in etcd was refused, or the key of a refused value has none any more. Frozen; contains no value. */
export type ConfigRefusal = ConfigRefused | ConfigHealed;

/** The current value of the key in etcd is invalid. Readers see the last good value, the default or `undefined`. */
export interface ConfigRefused {
  readonly type: 'refused';
  readonly key: string;
  /** Revision of the write that was refused. */
  readonly revision: number;
  /** Paths and names of constraints. */
  readonly violations: readonly ConfigViolation[];
}

/** A valid value has replaced the refused one, or the key was deleted. */
export interface ConfigHealed {
  readonly type: 'healed';
  readonly key: string;
  /** Revision of the write or deletion. */
  readonly revision: number;
  /** The state of the key, as `StoreService.entry` returns it. */
  readonly state: 'valid' | 'absent' | 'kept';
}

/** The listeners of `StoreService.onRefused`. */
export class RefusalListeners {
  readonly #listeners = new Set<RefusalListener>();
  #isClosed = false;

  constructor(
    private readonly guard: ListenerGuard,
    /** Returns the refused values under a prefix. */
    private readonly existing: (prefix: string) => readonly ConfigRefused[],
  ) {}

  /**
   * Delivers what is refused now in a microtask, so that the caller has the subscription before.
   * @throws InvalidOptionsError for an invalid argument
   */
  add(prefix: string, call: (refusal: ConfigRefusal) => unknown): ConfigSubscription {
    const listener = new RefusalListener(prefix, call, this.guard);
    if (!this.#isClosed) this.#listeners.add(listener);
    queueMicrotask(() => {
      listener.start(this.existing(prefix));
    });
    return {
      close: () => {
        this.#listeners.delete(listener);
        listener.close();
      },
    };
  }

  notify(refusals: readonly ConfigRefusal[]): void {
    if (refusals.length === 0) return;
    for (const listener of [...this.#listeners]) listener.receive(refusals);
  }

  close(): void {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }
}

class RefusalListener {
  #isStarted = false;
  #isClosed = false;

  constructor(
    private readonly prefix: string,
    private readonly call: (refusal: ConfigRefusal) => unknown,
    private readonly guard: ListenerGuard,
  ) {
    checkText('the prefix of onRefused', prefix);
    checkFunction(`the listener of onRefused of ${quoted(prefix)}`, call);
  }

  /** The current refusals include all earlier ones. */
  start(refused: readonly ConfigRefused[]): void {
    this.#isStarted = true;
    for (const refusal of refused) this.#deliver(refusal);
  }

  receive(refusals: readonly ConfigRefusal[]): void {
    if (!this.#isStarted) return;
    for (const refusal of refusals) if (refusal.key.startsWith(this.prefix)) this.#deliver(refusal);
  }

  close(): void {
    this.#isClosed = true;
  }

  #deliver(refusal: ConfigRefusal): void {
    if (this.#isClosed) return;
    this.guard.call(
      'onRefused',
      () => `a listener of onRefused of ${quoted(this.prefix)} failed for ${quoted(refusal.key)}`,
      () => this.call(refusal),
    );
  }
}
