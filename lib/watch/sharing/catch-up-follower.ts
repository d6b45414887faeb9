import { ConnectionClosedError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { RangeCache, RangeUpdate } from '../stream/range-cache.js';
import { Reflector, type ReflectorOptions, type ReflectorSink } from '../stream/reflector.js';
import type { ResyncNotice } from '../watch-event.js';
import { InitialList } from './initial-list.js';
import type { DeliveryFailures } from './delivery-failures.js';
import type { RangeListener, StreamState } from './range-listener.js';

/**
 * Follows a range for one lagging listener, with a separate stream, cursor and cache. A listener lags if it was slow,
 * or if it started at an older revision. The follower ends as soon as the listener has caught up with the shared
 * stream.
 */
export class CatchUpFollower implements ReflectorSink {
  readonly list = new InitialList();
  readonly #reflector: Reflector;
  readonly #listener: RangeListener;
  readonly #subject: KeyRange;
  readonly #wantsInitial: boolean;
  /** True while the listener throws. */
  #isRefused: boolean;
  readonly #rejoinIfCaughtUp: (cache: RangeCache) => boolean;
  #state: StreamState;

  constructor(
    source: ListWatcher,
    range: KeyRange,
    listener: RangeListener,
    /** `initial`: the listener receives the newest list first. */
    from: NonNullable<ReflectorOptions['from']> | 'initial',
    /** The listener receives the list at its revision first. */
    wantsInitial: boolean,
    /** Returns true if the shared stream has seen the same changes. The listener has then rejoined it. */
    rejoinIfCaughtUp: (cache: RangeCache) => boolean,
    private readonly failures: DeliveryFailures,
  ) {
    this.#listener = listener;
    this.#subject = range;
    this.#isRefused = failures.isFailing(listener);
    this.#wantsInitial = wantsInitial || from === 'initial';
    this.#rejoinIfCaughtUp = rejoinIfCaughtUp;
    // A cache comes from the shared stream, which was followed until now.
    const cache = typeof from === 'object' && 'cache' in from ? from.cache : undefined;
    this.#state = cache ? 'following' : 'starting';
    if (cache) this.list.complete(cache);
    this.#reflector = new Reflector(source, range, this, {
      from: from === 'initial' ? undefined : from,
      mayPause: true,
    });
    this.#reflector.start();
  }

  get state(): StreamState {
    return this.#state;
  }

  onDrain(): void {
    this.#reflector.onDrain();
  }

  close(): void {
    this.#reflector.close();
    this.list.close(new ConnectionClosedError('the watch is closed'));
  }

  listed(cache: RangeCache): void {
    if (this.#wantsInitial) {
      this.#listener.deliver(cache.current(), undefined);
      this.#isRefused = false;
    }
    this.list.complete(cache);
    this.#listener.listed?.();
    this.failures.recovered(this.#listener, this.#subject);
    this.#closeIfCaughtUp(cache);
  }

  changed(update: RangeUpdate, notice: ResyncNotice | undefined): void {
    const { cache } = this.list;
    if (!cache) return;
    const batch = cache.apply(update);
    try {
      this.#listener.deliver(batch, notice);
    } catch (error) {
      cache.undo(batch);
      this.#isRefused = true;
      throw error;
    }
    this.#isRefused = false;
    this.failures.recovered(this.#listener, this.#subject);
    this.#closeIfCaughtUp(cache);
  }

  following(): void {
    this.#state = 'following';
    if (!this.#isRefused) this.failures.recovered(this.#listener, this.#subject);
    this.#listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#state = 'interrupted';
    this.list.fail(reason);
    this.#listener.interrupted?.(reason);
  }

  failed(error: unknown): void {
    this.failures.failed(this.#listener, this.#subject, error);
  }

  canAccept(count: number): boolean {
    return this.#listener.canAccept(count);
  }

  #closeIfCaughtUp(cache: RangeCache): void {
    if (this.#rejoinIfCaughtUp(cache)) this.close();
  }
}
