import type { ValueType } from '../../dto/value-type.js';
import { checkFunction, checkKnown, checkMilliseconds, checkText, type OptionNames } from '../../option-checks.js';
import { ChangeDebounce } from './change-debounce.js';
import type { ConfigChange } from './config-change.js';
import type { ConfigListener } from './config-listeners.js';
import { quoted } from '../../foreign/foreign-text.js';
import { type ListenerGuard } from '../../watch/delivery/listener-guard.js';

/** Selection and timing of the changes that `StoreService.onChange` delivers. */
export interface ChangeOptions<T extends object = object> {
  /**
   * Delivers only configurations of this class or schema.
   * @default every class
   */
  readonly type?: ValueType<T> | undefined;
  /**
   * Delays changes until nothing has changed for this time, in milliseconds (up to 3,600,000), but at most for ten times
   * as long. The listener then receives the last state of each key; `previous` is the value that it last received.
   * Existing configurations are delivered without a delay, in a microtask.
   * @default 0: every change is delivered in the step in which readers see it
   */
  readonly debounceMs?: number | undefined;
}

const CHANGE_OPTIONS: OptionNames<ChangeOptions> = { type: true, debounceMs: true };

/** The parts of a store that a listener uses. */
export interface ChangeSource {
  readonly guard: ListenerGuard;
  /** Returns the current configurations under a prefix. */
  readonly existing: (prefix: string, type: ValueType | undefined) => readonly ConfigChange[];
}

/**
 * Delivers the existing configurations under a prefix, and then their changes, to a listener of the application. Errors
 * of the listener are logged by class and location and do not affect other listeners.
 */
export class ChangeListener implements ConfigListener {
  readonly #debounce: ChangeDebounce | undefined;
  /** True once the existing configurations are delivered; they include all earlier changes. */
  #isStarted = false;
  #isClosed = false;

  /**
   * Starts in a microtask, so that the listener can close its own subscription.
   * @throws InvalidOptionsError for an invalid option
   */
  constructor(
    private readonly prefix: string,
    private readonly call: (change: ConfigChange) => unknown,
    private readonly options: ChangeOptions,
    private readonly source: ChangeSource,
    private readonly onComplete: () => void = () => undefined,
  ) {
    checkText('the prefix of a listener', prefix);
    checkKnown(options, CHANGE_OPTIONS, { owner: ` of the listener of ${quoted(prefix)}` });
    const { debounceMs = 0, type } = options;
    checkFunction(`the listener of ${quoted(prefix)}`, call);
    checkMilliseconds(`"debounceMs" of the listener of ${quoted(prefix)}`, debounceMs, 0, MAX_DEBOUNCE_MS);
    if (debounceMs > 0) {
      this.#debounce = new ChangeDebounce(debounceMs, (changes) => {
        changes.forEach((change) => {
          this.#deliver(change);
        });
      });
    }
    queueMicrotask(() => {
      this.#isStarted = true;
      for (const change of source.existing(prefix, type)) this.#deliver(change);
    });
  }

  receive(changes: readonly ConfigChange[], type: ValueType): void {
    if (!this.#isStarted || (this.options.type && this.options.type !== type)) return;
    for (const change of changes) {
      if (!change.key.startsWith(this.prefix)) continue;
      if (this.#debounce) this.#debounce.add(change);
      else this.#deliver(change);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#debounce?.close();
  }

  completed(): void {
    this.onComplete();
  }

  #deliver(change: ConfigChange): void {
    if (this.#isClosed) return;
    this.source.guard.call(
      'onChange',
      () => `a listener of changes under ${quoted(this.prefix)} failed for ${quoted(change.key)}`,
      () => this.call(change),
    );
  }
}

const MAX_DEBOUNCE_MS = 3_600_000;
