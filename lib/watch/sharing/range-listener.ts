import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { ChangeBatch } from '../stream/change-event.js';
import type { ResyncNotice } from '../watch-event.js';
import type { InitialListWait } from './initial-list.js';

/**
 * Receives the batches of a range: the store, an observable, or a handler's queue. Called synchronously; must not
 * throw.
 */
export interface RangeListener {
  /** True while the application has paused the listener. */
  readonly paused?: boolean;
  /**
   * True if `count` events can be accepted. A listener that returns false leaves the shared stream, and calls
   * `ListenerRegistration.onDrain` later.
   */
  canAccept(count: number): boolean;
  /**
   * Receives records of the initial list while the rest is being read, in byte order, so that the listener can parse
   * them early. They are not a delivery, and must be discarded after `interrupted`.
   */
  onPage?(records: readonly KeyRecord[]): void;
  /** The initial list has been read, and its events have been delivered if the listener wants them. */
  listed?(): void;
  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void;
  interrupted?(reason: EtcdTriggerError): void;
  following?(): void;
  /** The module has been closed. Nothing is delivered afterwards. */
  ended?(): void;
}

/** `starting`: no member has accepted the stream yet. `following`: accepted. `interrupted`: broken, being retried. */
export type StreamState = 'starting' | 'following' | 'interrupted';

/** The registration of a listener at a range. */
export interface ListenerRegistration {
  /** The last revision up to which everything has been delivered to the listener. */
  readonly revision: number;
  /** Number of revisions that the listener is behind the newest known revision of the range. */
  readonly lag: number;
  /** Id of the listed cluster; `undefined` before the list. */
  readonly clusterId: string | undefined;
  readonly state: StreamState;
  /** True while a separate stream serves the listener, because it was slow or started at an older revision. */
  readonly isLagging: boolean;
  /** To be called when the listener can accept events again. */
  onDrain(): void;
  /** Waits for the initial list. Rejects as `InitialList.wait` does. */
  whenListed(wait: InitialListWait): Promise<unknown>;
  /** Local, immediate and idempotent. Nothing is delivered afterwards. */
  unregister(): void;
}
