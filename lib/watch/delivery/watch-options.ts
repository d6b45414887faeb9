import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { WatchTarget } from '../../backend/key-range.js';
import type { StreamState } from '../sharing/range-listener.js';
import type { ResyncNotice, WatchFailure } from '../watch-event.js';
import type { OptionNames } from '../../option-checks.js';
import { DELIVERY_OPTIONS, type DeliveryOptions } from './delivery-options.js';

/** Options of one watch, including the delivery of its events. */
export interface WatchOptions extends DeliveryOptions {
  /**
   * Deliver the existing keys first, as events with `origin: 'initial'`.
   * @default true, and false with `fromRevision`
   */
  readonly initial?: boolean | undefined;
  /** Deliver every change from this revision on (1 or more). Implies `initial: false`. */
  readonly fromRevision?: number | undefined;
  /** Ends the watch when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Called when etcd no longer holds the history of some changes, before their net difference is delivered. */
  readonly onResync?: ((notice: ResyncNotice) => unknown) | undefined;
  /** Called with every event whose last attempt has failed. */
  readonly onError?: ((failure: WatchFailure) => unknown) | undefined;
}

export const WATCH_OPTIONS: OptionNames<WatchOptions> = {
  ...DELIVERY_OPTIONS,
  initial: true,
  fromRevision: true,
  signal: true,
  onResync: true,
  onError: true,
};

/** Options of an observable. It has no queue, so the delivery options other than `events` do not apply. */
export type ObserveOptions = Pick<WatchOptions, 'initial' | 'fromRevision' | 'signal' | 'onResync' | 'events'>;

export const OBSERVE_OPTIONS: OptionNames<ObserveOptions> = {
  initial: true,
  fromRevision: true,
  signal: true,
  onResync: true,
  events: true,
};

/** A running watch. */
export interface WatchSubscription {
  readonly target: WatchTarget;
  /**
   * `starting`: etcd has not accepted a stream yet, although the list may have been read. `following`: etcd has
   * accepted the stream. `interrupted`: the connection was lost or permission was withdrawn; the watch reconnects and
   * misses nothing.
   */
  readonly status: StreamState | 'closed';
  /** The last revision up to which everything has been delivered to this listener, or queued for it. */
  readonly revision: number;
  /** Resolves when the handler has finished with the initial events, or when the watch is closed. */
  readonly initialDelivered: Promise<void>;
  /**
   * Resolves when the watch and its last call have ended, including calls of `onError` and `onResync`. The value is the
   * reason, or `undefined` if `close()` or the signal ended the watch.
   */
  readonly closed: Promise<EtcdTriggerError | undefined>;
  /** Number of calls started so far, including retries. */
  readonly calls: number;
  /** Number of calls that have failed so far. */
  readonly failures: number;
  /** Number of waiting events and running calls. */
  readonly pending: number;
  /** True if no further calls start, because of `pause()` or because the watch is halted. */
  readonly paused: boolean;
  /** The failure that halted the watch (`onExhausted: 'halt'`); `undefined` otherwise, and after `resume()`. */
  readonly halted: WatchFailure | undefined;
  /**
   * Starts no further calls until `resume()`. Events wait in the queue; beyond its bound the watch lags, without losing
   * any.
   */
  pause(): void;
  /** Continues after `pause()`, or with the event that halted the watch. */
  resume(): void;
  /** Ends the watch immediately: no further calls start. Does not wait for running calls; `closed` does. */
  close(): Promise<void>;
}
