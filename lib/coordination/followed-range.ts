import type { KeyRange } from '../backend/key-range.js';
import { onAbort } from '../timing/on-abort.js';
import type { ListenerRegistration, RangeListener } from '../watch/sharing/range-listener.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import type { ChangeBatch } from '../watch/stream/change-event.js';
import type { ResyncNotice } from '../watch/watch-event.js';

/** The last known write of a followed key. */
export interface FollowedRecord {
  readonly rawKey: string;
  readonly value: Buffer;
  readonly revision: number;
  readonly createRevision: number;
  /** Decimal; `undefined` for none. */
  readonly lease: string | undefined;
}

/** Follows a key or a prefix with the shared watch of its range, and keeps its records. */
export class FollowedRange implements RangeListener {
  readonly #ranges: SharedRanges;
  readonly #range: SharedRange;
  readonly #registration: ListenerRegistration;
  readonly #records = new Map<string, FollowedRecord>();
  readonly #listeners = new Set<() => void>();
  readonly #onHistoryChanged: (reason: ResyncNotice['reason']) => void;
  #revision = 0;
  #isListed = false;

  /** @param onHistoryChanged called after the change that shows that the store has another history */
  constructor(
    ranges: SharedRanges,
    range: KeyRange,
    onHistoryChanged: (reason: ResyncNotice['reason']) => void = () => undefined,
  ) {
    this.#onHistoryChanged = onHistoryChanged;
    this.#ranges = ranges;
    this.#range = ranges.acquire(range, { paused: false });
    this.#registration = this.#range.register(this, { initial: true });
  }

  /** By raw key, in no particular order. Empty before the list. */
  get records(): ReadonlyMap<string, FollowedRecord> {
    return this.#records;
  }

  /** Revision of the last change that was received; 0 before the list. */
  get revision(): number {
    return this.#revision;
  }

  get isListed(): boolean {
    return this.#isListed;
  }

  /** Calls the listener synchronously after each change and after the list. Returns a function that removes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Resolves when the condition is true, or when the signal aborts. It is checked after each change. */
  async until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isMet() && !signal.aborted) await this.#nextChange(signal);
  }

  /** Idempotent. */
  close(): void {
    this.#registration.unregister();
    this.#ranges.release(this.#range);
    this.#listeners.clear();
  }

  canAccept(): boolean {
    return true;
  }

  deliver({ revision, events }: ChangeBatch, notice?: ResyncNotice): void {
    this.#revision = revision;
    for (const { rawKey, value, createRevision, lease, revision: written } of events) {
      if (value === undefined) this.#records.delete(rawKey);
      else this.#records.set(rawKey, { rawKey, value, revision: written, createRevision, lease });
    }
    this.#notify();
    if (notice && notice.reason !== 'compacted') this.#onHistoryChanged(notice.reason);
  }

  listed(): void {
    this.#isListed = true;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        remove();
        stopListening();
        resolve();
      };
      const remove = this.onChange(done);
      const stopListening = onAbort(signal, done);
    });
  }
}
