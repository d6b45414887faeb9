import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf } from '../backend/key-record.js';
import type { RangeListener, ListenerRegistration } from '../watch/sharing/range-listener.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import type { ChangeBatch, ChangeEvent } from '../watch/stream/change-event.js';

/** The last known write of a followed key. */
export type FollowedRecord = Pick<ChangeEvent, 'createRevision' | 'lease' | 'revision'> & { readonly value: Buffer };

/** Follows one key with the shared watch of its range. */
export class FollowedKey implements RangeListener {
  readonly #ranges: SharedRanges;
  readonly #range: SharedRange;
  readonly #registration: ListenerRegistration;
  readonly #listeners = new Set<() => void>();
  #record: FollowedRecord | undefined;
  #revision = 0;
  #isListed = false;

  constructor(ranges: SharedRanges, rawKey: string) {
    this.#ranges = ranges;
    this.#range = ranges.acquire(KeyRange.of({ key: keyBytesOf(rawKey) }), { paused: false });
    this.#registration = this.#range.register(this, { initial: true });
  }

  /** `undefined` if the key is absent, or not listed yet. */
  get record(): FollowedRecord | undefined {
    return this.#record;
  }

  /** Revision of the last change of the key that was received; 0 before the list. */
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

  /** Resolves when the condition is true, at the latest after a change of the key or of the signal. */
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

  deliver({ revision, events }: ChangeBatch): void {
    const event = events.at(-1);
    if (!event) return;
    this.#revision = revision;
    this.#record = event.value && { ...stampOf(event), value: event.value };
    this.#notify();
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
        signal.removeEventListener('abort', done);
        resolve();
      };
      const remove = this.onChange(done);
      signal.addEventListener('abort', done);
    });
  }
}

const stampOf = ({ createRevision, lease, revision }: ChangeEvent): Omit<FollowedRecord, 'value'> => ({
  createRevision,
  lease,
  revision,
});
