import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { ChangeBatch } from '../stream/change-event.js';
import type { InitialListWait } from './initial-list.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { ResyncNotice } from '../watch-event.js';

/** Who receives the batches of a range: the store, an observer, a handler's queue. Called synchronously; must not throw. */
export interface RangeListener {
  /** Takes nothing for now, because somebody wants it so. */
  readonly paused?: boolean;
  /** Whether so many events can be taken now. Who says no leaves the shared stream and calls `Seat.roomAgain` later. */
  canAccept(count: number): boolean;
  /**
   * Records of the first list while the rest is on its way, in byte order, for who has work to do with each: a start takes a tenth less when the store parses
   * while the member reads. Nothing is delivered by that, and after `interrupted` it was in vain.
   */
  onPage?(records: readonly KeyRecord[]): void;
  /** The first list is in, and what was to be given of it has been given. */
  listed?(): void;
  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void;
  interrupted?(reason: EtcdTriggerError): void;
  following?(): void;
  /** The module is closed: nothing will be delivered any more. */
  ended?(): void;
}

/** Where a stream is: not accepted by etcd yet, accepted, or broken and tried again. */
export type StreamState = 'starting' | 'following' | 'interrupted';

/** A listener's place at a range. */
export interface ListenerRegistration {
  /** Everything up to this revision has been handed to the listener. */
  readonly revision: number;
  /** Revisions that the listener is behind what is known of the range. */
  readonly lag: number;
  /** Of the cluster that was listed; `undefined` before. */
  readonly clusterId: string | undefined;
  readonly state: StreamState;
  /** Follows by itself for now, because it was slow or began at an older revision. */
  readonly isLagging: boolean;
  onDrain(): void;
  /** The first list, within the limits of who waits for it. */
  whenListed(wait: InitialListWait): Promise<unknown>;
  /** Local, immediate, idempotent: nothing is delivered afterwards. */
  unregister(): void;
}
