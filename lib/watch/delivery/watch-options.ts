import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { WatchTarget } from '../../backend/key-range.js';
import type { StreamState } from '../sharing/range-listener.js';
import type { ResyncNotice, WatchFailure } from '../watch-event.js';
import type { DeliveryOptions } from './delivery-options.js';

/** How a target is watched, and how its events are handed over. */
export interface WatchOptions extends DeliveryOptions {
  /**
   * Hand over what exists first, as events with `origin: 'initial'`.
   * @default true, and false with `fromRevision`
   */
  readonly initial?: boolean;
  /** Hand over every change from this revision on (1 or more). Implies `initial: false`. */
  readonly fromRevision?: number;
  /** Ends the watch when it aborts. */
  readonly signal?: AbortSignal;
  /** Called as soon as changes will be delivered as a net difference instead of one by one. */
  readonly onResync?: (notice: ResyncNotice) => unknown;
  /** Called with every event that was given up, because the handler failed. */
  readonly onError?: (failure: WatchFailure) => unknown;
}

/** How a target is observed: an observable has no queue, and rxjs has operators for the rest. */
export type ObserveOptions = Pick<WatchOptions, 'initial' | 'fromRevision' | 'signal' | 'onResync' | 'events'>;

/** A watch that runs. */
export interface WatchSubscription {
  readonly target: WatchTarget;
  /**
   * `starting`: the list may be in, but etcd has not accepted a stream yet. `following`: it has. `interrupted`: the connection was lost or permission
   * withdrawn; the watch goes on trying and will miss nothing.
   */
  readonly status: StreamState | 'closed';
  /** Everything up to this revision has been handed to this listener (queued, if its handler is busy). */
  readonly revision: number;
  /** Resolves when the handler has finished with the initial events, or the watch was closed before. */
  readonly initialDelivered: Promise<void>;
  /** Resolves when the last call, also of `onError` and `onResync`, has ended after the watch did; with the reason, if it did not end by `close()` or its signal. */
  readonly closed: Promise<EtcdTriggerError | undefined>;
  /** Calls that began so far, also those that were made again. */
  readonly calls: number;
  /** Calls that failed so far. */
  readonly failures: number;
  /** Events that wait for the handler, and calls that run. */
  readonly pending: number;
  /** Whether calls are held back, by `pause()` or because the watch is halted. */
  readonly paused: boolean;
  /** What was given up when the watch halted (`onExhausted: 'halt'`); `undefined` otherwise, and after `resume()`. */
  readonly halted: WatchFailure | undefined;
  /** Starts no further call until `resume()`: events wait, and beyond the queue's bound the watch follows at its own pace. */
  pause(): void;
  /** Goes on after `pause()`, or with the very event that halted the watch. */
  resume(): void;
  /** Ends the watch at once: no further call starts. Calls that run are not waited for (`closed` does). */
  close(): Promise<void>;
}
