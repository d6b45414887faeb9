import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { Backoff } from '../timing/backoff.js';
import type { KeyRange } from './key-range.js';
import type { KeyChange, KeyRecord, KeyStamp } from './key-record.js';

/** Everything a range held at one revision. */
export interface RangeList {
  readonly revision: number;
  readonly clusterId: string;
  /** By rawKey, in byte order. Whoever has listed may keep the map and change it. */
  readonly records: Map<string, KeyRecord>;
}

/** One decoded message of a watch stream. */
export interface WatchMessage {
  /** The store's revision when the member sent it. */
  readonly revision: number;
  /** More of the same revision follows (only when fragments were asked for). */
  readonly fragment: boolean;
  /** In revision order; empty in a progress notification. */
  readonly changes: readonly KeyChange[];
}

/** What a member says when it accepts a watch. */
export interface WatchHeader {
  readonly clusterId: string;
  readonly revision: number;
}

/** One watch on one member. It ends once and never comes back; who needs more opens another. */
export interface WatchStream {
  /** The member's acceptance. Rejects with the reason, or with `ConnectionTimeoutError` after the limit. No message flows before `deliver`. */
  readonly created: Promise<WatchHeader>;
  /** Never rejects: the reason why the stream ended. */
  readonly ended: Promise<EtcdTriggerError>;
  /** Lets messages flow, each handed over synchronously. */
  deliver(receive: (message: WatchMessage) => void): void;
  /** What the very member of this stream holds (or held at `revision`). `linearizable`: after it has caught up with the cluster. */
  stampsAt(revision: number, options: { readonly linearizable: boolean }): Promise<StampList>;
  pause(): void;
  resume(): void;
  /** Local, immediate, idempotent: no message is handed over afterwards and the server is not waited for. */
  cancel(): void;
}

/** How a range is listed. */
export interface ListOptions {
  readonly revision?: number | undefined;
  readonly signal: AbortSignal;
  /** Told of records as they come, in byte order, while the rest is on its way; what was told of a list that fails is void. */
  readonly onPage?: (records: readonly KeyRecord[]) => void;
}

/** Which writes a range holds. */
export interface StampList {
  readonly revision: number;
  readonly clusterId: string;
  readonly stamps: readonly KeyStamp[];
}

/** The port to etcd of everything that watches; `lib/etcd` implements it. */
export interface ListWatcher {
  /** How long to wait before trying again, where it is not a network that must recover. */
  readonly backoff?: Backoff;
  /** The whole range at one revision: the newest (linearizable), or an older one that etcd still holds. */
  list(range: KeyRange, options: ListOptions): Promise<RangeList>;
  /** Which writes the range holds now (linearizable), without their values. */
  stamps(range: KeyRange, options: { readonly signal: AbortSignal }): Promise<StampList>;
  /** Every change from revision `start` on. `fragment`: let the member split messages (rule: only where one was too large). */
  watch(range: KeyRange, start: number, options: { readonly fragment: boolean }): WatchStream;
}

/** The history that was asked for is compacted away. */
export class CompactedError extends EtcdTriggerError {
  readonly code = 'ETCD_COMPACTED';

  constructor(
    subject: string,
    /** Where etcd was compacted: the history after it is there. `undefined` where the answer did not say. */
    readonly compactRevision: number | undefined,
  ) {
    super(`${subject}: the history is compacted${compactRevision ? ` up to revision ${compactRevision}` : ''}`);
  }
}

/** The member has not yet seen the revision that was asked for, or the store has gone back behind it. */
export class FutureRevisionError extends EtcdTriggerError {
  readonly code = 'ETCD_FUTURE_REVISION';
}

/** One message was larger than this client takes; fragments help. */
export class MessageTooLargeError extends EtcdTriggerError {
  readonly code = 'ETCD_MESSAGE_TOO_LARGE';
}
