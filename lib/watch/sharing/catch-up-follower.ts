import { ConnectionClosedError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { RangeCache, RangeUpdate } from '../stream/range-cache.js';
import { Reflector, type ReflectorOptions, type ReflectorSink } from '../stream/reflector.js';
import type { ResyncNotice } from '../watch-event.js';
import { InitialList } from './initial-list.js';
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
  readonly #rejoinIfCaughtUp: (cache: RangeCache) => boolean;
  #state: StreamState;

  constructor(
    source: ListWatcher,
    range: KeyRange,
    listener: RangeListener,
    from: NonNullable<ReflectorOptions['from']>,
    /** Returns true if the shared stream has seen the same changes. The listener has then rejoined it. */
    rejoinIfCaughtUp: (cache: RangeCache) => boolean,
  ) {
    this.#listener = listener;
    this.#rejoinIfCaughtUp = rejoinIfCaughtUp;
    // A cache comes from the shared stream, which was followed until now.
    this.#state = 'cache' in from ? 'following' : 'starting';
    if ('cache' in from) this.list.complete(from.cache);
    this.#reflector = new Reflector(source, range, this, { from, mayPause: true });
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
    this.list.complete(cache);
    this.#listener.listed?.();
    this.#closeIfCaughtUp(cache);
  }

  changed(update: RangeUpdate, notice: ResyncNotice | undefined): void {
    const { cache } = this.list;
    if (!cache) return;
    const batch = cache.apply(update);
    this.#listener.deliver(batch, notice);
    this.#closeIfCaughtUp(cache);
  }

  following(): void {
    this.#state = 'following';
    this.#listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#state = 'interrupted';
    this.list.fail(reason);
    this.#listener.interrupted?.(reason);
  }

  canAccept(count: number): boolean {
    return this.#listener.canAccept(count);
  }

  #closeIfCaughtUp(cache: RangeCache): void {
    if (this.#rejoinIfCaughtUp(cache)) this.close();
  }
}
