import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkMilliseconds } from '../../option-checks.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { isThenable } from '../../timing/time-limit.js';
import { describeFailure } from '../../watch/delivery/listener-failure.js';
import { ChangeDebounce } from './change-debounce.js';
import type { ConfigChange } from './config-change.js';
import type { ConfigListener } from './config-listeners.js';

/** What `StoreService.onChange` tells a listener, and when. */
export interface ChangeOptions<T extends object = object> {
  /**
   * Only configurations of this class.
   * @default every class
   */
  readonly type?: Type<T>;
  /**
   * Changes wait until nothing has changed for so long, in milliseconds; then the last state of each key is told, `previous` being what this listener
   * was last told. They wait at most ten times as long. What exists first is told at once.
   * @default 0: every change is told in the step in which readers see it
   */
  readonly debounceMs?: number;
}

/** What a listener needs of its store. */
export interface ChangeSource {
  readonly log: InstanceLog;
  /** What readers see under a prefix now. */
  readonly existing: (prefix: string, type: Type<object> | undefined) => readonly ConfigChange[];
}

/** Tells an application's listener what exists under a prefix, then what changes. What it throws is logged by class and place, and harms nobody. */
export class ChangeListener implements ConfigListener {
  readonly #debounce: ChangeDebounce | undefined;
  /** Has been told what exists; until then changes are part of that. */
  #isStarted = false;
  #isClosed = false;

  /**
   * Begins in a microtask, so that the listener can be ended from inside.
   * @throws InvalidOptionsError for an option that cannot work
   */
  constructor(
    private readonly prefix: string,
    private readonly call: (change: ConfigChange) => unknown,
    private readonly options: ChangeOptions,
    private readonly source: ChangeSource,
    private readonly completed: () => void = () => undefined,
  ) {
    const { debounceMs = 0, type } = options;
    if (typeof prefix !== 'string') throw new InvalidOptionsError('the prefix of a listener is a string');
    if (typeof call !== 'function') throw new InvalidOptionsError(`the listener of "${prefix}" is a function`);
    checkMilliseconds(`"debounceMs" of the listener of "${prefix}"`, debounceMs, 0, MAX_DEBOUNCE_MS);
    if (debounceMs > 0) {
      this.#debounce = new ChangeDebounce(debounceMs, (changes) => {
        changes.forEach((change) => {
          this.#tell(change);
        });
      });
    }
    queueMicrotask(() => {
      this.#isStarted = true;
      for (const change of source.existing(prefix, type)) this.#tell(change);
    });
  }

  receive(changes: readonly ConfigChange[], type: Type<object>): void {
    if (!this.#isStarted || (this.options.type && this.options.type !== type)) return;
    for (const change of changes) {
      if (!change.key.startsWith(this.prefix)) continue;
      if (this.#debounce) this.#debounce.add(change);
      else this.#tell(change);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#debounce?.close();
  }

  ended(): void {
    this.completed();
  }

  #tell(change: ConfigChange): void {
    if (this.#isClosed) return;
    const failed = (error: unknown): void => {
      this.source.log.error(
        `a listener of changes under "${this.prefix}" failed for "${change.key}": ${describeFailure(error)}`,
      );
    };
    try {
      const result = this.call(change);
      if (isThenable(result)) Promise.resolve(result).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

const MAX_DEBOUNCE_MS = 3_600_000;
