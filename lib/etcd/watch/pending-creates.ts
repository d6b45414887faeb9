import { NO_WATCH } from '../codec/watch-codec.js';
import type { BusyLinkLimit } from '../connection/busy-link.js';
import type { Watch } from './watch-receiver.js';

export interface PendingCreatesOptions {
  /** Creates are sent one at a time. */
  readonly isSequential: () => boolean;
  /** Time in which the member must answer a create, counted from its sending. */
  readonly limit: BusyLinkLimit;
  readonly send: (watch: Watch) => void;
  readonly onTimeout: (watch: Watch) => void;
  /** Creates that were not sent wait behind one that has no answer within the limit. */
  readonly onBlocked: (unsent: readonly Watch[]) => void;
}

/** The creates of one stream without an answer, in the order of their sending. */
export class PendingCreates {
  readonly #options: PendingCreatesOptions;
  /** By requested id; a Map keeps the order. */
  readonly #sent = new Map<number, Watch>();
  readonly #unsent = new Map<number, Watch>();
  #timer: NodeJS.Timeout | undefined;
  /** The server has answered a create with the id that was requested. */
  #isVerified = false;

  constructor(options: PendingCreatesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#sent.size === 0 && this.#unsent.size === 0;
  }

  add(watch: Watch): void {
    this.#unsent.set(watch.id, watch);
    this.#sendNext();
  }

  /** The watch whose create this answers; `undefined` when the id was not requested. */
  answered(watchId: number): Watch | undefined {
    const isByOrder = watchId === NO_WATCH || this.#options.isSequential();
    const watch = isByOrder ? this.#oldest() : this.#sent.get(watchId);
    if (!watch) return undefined;
    if (watchId === watch.id) this.#isVerified = true;
    this.#sent.delete(watch.id);
    this.#sendNext();
    return watch;
  }

  /** Takes a create back; false when it was sent. */
  withdraw({ id }: Watch): boolean {
    return this.#unsent.delete(id);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sent.clear();
    this.#unsent.clear();
  }

  /** Until the first answer only one create is under way: it shows if the server keeps requested ids. */
  #sendNext(): void {
    for (const [id, watch] of this.#unsent) {
      if (this.#sent.size > 0 && (!this.#isVerified || this.#options.isSequential())) break;
      this.#unsent.delete(id);
      if (this.#sent.size === 0) this.#options.limit.restart();
      this.#sent.set(id, watch);
      this.#options.send(watch);
    }
    if (this.#sent.size > 0) this.#timer ??= this.#startTimer(this.#options.limit.ms);
  }

  #startTimer(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#checkTimeouts();
    }, ms).unref();
  }

  #checkTimeouts(): void {
    const { limit, onTimeout, onBlocked } = this.#options;
    const now = performance.now();
    const isOverdue = ({ sentAt }: Watch): boolean => now - sentAt >= limit.ms;
    if ([...this.#sent.values()].some(isOverdue)) limit.extend();
    for (const watch of [...this.#sent.values()]) if (!watch.isCanceled && isOverdue(watch)) onTimeout(watch);
    if (this.#unsent.size > 0 && [...this.#sent.values()].some(isOverdue)) {
      const unsent = [...this.#unsent.values()];
      this.#unsent.clear();
      onBlocked(unsent);
    }
    // A create that nobody waits for matters only while it blocks others.
    const next = [...this.#sent.values()].find(({ isCanceled }) => !isCanceled || this.#unsent.size > 0);
    if (next) this.#timer ??= this.#startTimer(Math.max(1, next.sentAt + limit.ms - now));
  }

  #oldest(): Watch | undefined {
    for (const watch of this.#sent.values()) return watch;
    return undefined;
  }
}
