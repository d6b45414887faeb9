import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ResyncNotice, WatchFailure, WatchHandler, WatchOrigin } from '../watch-event.js';

/** Observes a cluster for metrics and spans. It is called synchronously and must not throw. */
export interface ClusterObserver {
  /** The stream of a range broke. Called once per interruption, not for each failed attempt. */
  interrupted(range: KeyRange, cause: EtcdTriggerError): void;
  /** Changes were delivered as their net difference. */
  resynced(range: KeyRange, reason: ResyncNotice['reason']): void;
  /** A range has changed by one update of `count` changes. */
  changed(range: KeyRange, count: number, origin: WatchOrigin): void;
  /** Wraps a handler. The result is called in its place. */
  observed(handler: WatchHandler, about: { readonly name: string; readonly range: KeyRange }): WatchHandler;
  /** The last attempt of a handler has failed. */
  gaveUp(failure: WatchFailure, range: KeyRange): void;
  /** A listener of the application, other than a handler, has thrown or rejected. `kind`: how it was registered. */
  listenerFailed(kind: string, error: unknown): void;
  /** The library's own delivery has thrown; it is retried. */
  deliveryFailed(subject: string): void;
  /** A definition was updated in the store: the number of visible changes, and of new values that were rejected. */
  stored(definition: string, step: { readonly updates: number; readonly rejections: number }): void;
}
