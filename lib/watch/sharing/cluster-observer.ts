import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ResyncNotice, WatchFailure, WatchHandler, WatchOrigin } from '../watch-event.js';

/** Is told what happens in a cluster, for metrics and spans. Called synchronously; must not throw. Where there is none, nothing is paid for it. */
export interface ClusterObserver {
  /** The stream of a range broke: told once until it follows again. */
  interrupted(range: KeyRange, cause: EtcdTriggerError): void;
  /** Changes were delivered as their net difference. */
  resynced(range: KeyRange, reason: ResyncNotice['reason']): void;
  /** So many changes came in one step. */
  changed(range: KeyRange, count: number, origin: WatchOrigin): void;
  /** What is called in a handler's place. */
  observed(handler: WatchHandler, about: { readonly name: string; readonly range: KeyRange }): WatchHandler;
  /** A handler did not manage to take something. */
  gaveUp(failure: WatchFailure, range: KeyRange): void;
  /** Readers of the store see so many changes of a definition, and so many new values were refused. */
  stored(definition: string, step: { readonly updates: number; readonly rejections: number }): void;
}
