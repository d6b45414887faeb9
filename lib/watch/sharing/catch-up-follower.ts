import { ConnectionClosedError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { InitialList } from './initial-list.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { RangeListener, StreamState } from './range-listener.js';
import type { RangeUpdate, RangeCache } from '../stream/range-cache.js';
import { Reflector, type ReflectorOptions, type ReflectorSink } from '../stream/reflector.js';
import type { ResyncNotice } from '../watch-event.js';

/**
 * One listener on a stream of its own, with its own cursor and its own memory of what it was given: because it was slow, or because it began at
 * an older revision. It is over as soon as it has seen exactly what the shared stream has seen.
 */
export class CatchUpFollower implements ReflectorSink {
  readonly list = new InitialList();
  readonly #reflector: Reflector;
  readonly #listener: RangeListener;
  readonly #hasCaughtUp: (cache: RangeCache) => boolean;
  #state: StreamState;

  constructor(
    source: ListWatcher,
    range: KeyRange,
    listener: RangeListener,
    from: NonNullable<ReflectorOptions['from']>,
    /** Whether the shared stream has seen the same; who says yes has taken the listener over. */
    hasCaughtUp: (cache: RangeCache) => boolean,
  ) {
    this.#listener = listener;
    this.#hasCaughtUp = hasCaughtUp;
    // What is known was followed until now.
    this.#state = 'cache' in from ? 'following' : 'starting';
    if ('cache' in from) this.list.succeeded(from.cache);
    this.#reflector = new Reflector(source, range, this, { from });
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
    this.list.ended(new ConnectionClosedError('the watch is closed'));
  }

  listed(cache: RangeCache): void {
    this.list.succeeded(cache);
    this.#listener.listed?.();
    this.#rejoinIfCaughtUp(cache);
  }

  changed(change: RangeUpdate, notice: ResyncNotice | undefined): void {
    const { cache } = this.list;
    if (!cache) return;
    const batch = cache.apply(change);
    this.#listener.deliver(batch, notice);
    this.#rejoinIfCaughtUp(cache);
  }

  following(): void {
    this.#state = 'following';
    this.#listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#state = 'interrupted';
    this.list.failed(reason);
    this.#listener.interrupted?.(reason);
  }

  canAccept(count: number): boolean {
    return this.#listener.canAccept(count);
  }

  #rejoinIfCaughtUp(cache: RangeCache): void {
    if (this.#hasCaughtUp(cache)) this.close();
  }
}
