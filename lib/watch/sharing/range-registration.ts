import type { RangeCache } from '../stream/range-cache.js';
import type { CatchUpFollower } from './catch-up-follower.js';
import type { InitialListWait } from './initial-list.js';
import type { ListenerRegistration, RangeListener, StreamState } from './range-listener.js';

/** The part of a shared range that its registrations use. */
export interface RangeOwner {
  readonly cache: RangeCache | undefined;
  readonly state: StreamState;
  whenListed(wait: InitialListWait): Promise<RangeCache>;
  unregister(registration: RangeRegistration): void;
}

/** A listener of a shared range, which a separate stream serves while it lags. */
export class RangeRegistration implements ListenerRegistration {
  follower: CatchUpFollower | undefined;
  isUnregistered = false;
  readonly #range: RangeOwner;

  constructor(
    range: RangeOwner,
    readonly listener: RangeListener,
    readonly wantsInitial: boolean,
  ) {
    this.#range = range;
  }

  get revision(): number {
    const cache = this.#cache;
    return cache ? cache.next - 1 : 0;
  }

  get lag(): number {
    return Math.max(0, (this.#range.cache?.next ?? 1) - 1 - this.revision);
  }

  get clusterId(): string | undefined {
    return this.#cache?.clusterId;
  }

  get state(): StreamState {
    return (this.follower ?? this.#range).state;
  }

  get isLagging(): boolean {
    return this.follower !== undefined;
  }

  onDrain(): void {
    this.follower?.onDrain();
  }

  whenListed(wait: InitialListWait): Promise<unknown> {
    return this.follower ? this.follower.list.wait(wait) : this.#range.whenListed(wait);
  }

  listed(cache: RangeCache): void {
    if (this.isUnregistered) return;
    if (this.wantsInitial) this.listener.deliver(cache.current(), undefined);
    this.listener.listed?.();
  }

  unregister(): void {
    if (this.isUnregistered) return;
    this.isUnregistered = true;
    this.follower?.close();
    this.#range.unregister(this);
  }

  /** To be called after each update of the shared stream, which may have reached the listener's cursor. */
  rejoinIfCaughtUp(shared: RangeCache): void {
    const { follower } = this;
    if (follower?.list.cache?.hasSeenTheSameAs(shared)) {
      this.follower = undefined;
      follower.close();
    }
  }

  get #cache(): RangeCache | undefined {
    return this.follower ? this.follower.list.cache : this.#range.cache;
  }
}
