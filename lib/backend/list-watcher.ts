import {
  AuthenticationError,
  ConnectionError,
  EtcdTriggerError,
  InvalidOptionsError,
  PermissionDeniedError,
} from '../etcd-trigger.errors.js';
import type { Backoff } from '../timing/backoff.js';
import type { KeyRange } from './key-range.js';
import type { KeyChange, KeyRecord, KeyStamp } from './key-record.js';

/** The content of a range at one revision. */
export interface RangeList {
  readonly revision: number;
  readonly clusterId: string;
  /** By `rawKey`, in byte order. The caller owns the map and may change it. */
  readonly records: Map<string, KeyRecord>;
}

/** One decoded message of a watch stream. */
export interface WatchMessage {
  /** The store's revision when the member sent it. */
  readonly revision: number;
  /** True if more of the same revision follows. Only in streams with fragments. */
  readonly fragment: boolean;
  /** In revision order; empty in a progress notification. */
  readonly changes: readonly KeyChange[];
}

/** The answer of a member that accepts a watch. */
export interface WatchHeader {
  readonly clusterId: string;
  readonly revision: number;
}

/** One watch on one member. It ends once and is never reopened. */
export interface WatchStream {
  /**
   * Resolves when the member has accepted the watch. Rejects with the reason, or with `ConnectionTimeoutError` after
   * the limit. No message is delivered before `deliver` is called.
   */
  readonly created: Promise<WatchHeader>;
  /** Resolves with the reason why the stream has ended. Never rejects. */
  readonly ended: Promise<EtcdTriggerError>;
  /** Starts delivery. Each message is passed to `receive` synchronously. */
  deliver(receive: (message: WatchMessage) => void): void;
  /**
   * Reads the stamps at `revision` from the member of this stream. `linearizable`: after it has caught up with the
   * cluster.
   */
  stampsAt(revision: number, options: { readonly linearizable: boolean }): Promise<StampList>;
  pause(): void;
  resume(): void;
  /** Local, immediate and idempotent. No message is delivered afterwards; the server is not awaited. */
  cancel(): void;
}

export interface ListOptions {
  readonly revision?: number | undefined;
  readonly signal: AbortSignal;
  /** Receives each page, in byte order, while the next one is read. The pages of a failed list must be discarded. */
  readonly onPage?: (records: readonly KeyRecord[]) => void;
}

/** Options of one watch. */
export interface RangeWatchOptions {
  /** The member may split messages: only where one was too large. */
  readonly fragment: boolean;
  /** `pause` may be called, so the watch must not share its transport with others. */
  readonly mayPause: boolean;
}

/** Which writes a range holds. */
export interface StampList {
  readonly revision: number;
  readonly clusterId: string;
  readonly stamps: readonly KeyStamp[];
}

/** The port to etcd for lists and watches. `lib/etcd` implements it. */
export interface ListWatcher {
  /** Overrides the default backoff, for sources without a network. */
  readonly backoff?: Backoff;
  /** Reads the whole range at one revision: the newest (linearizable), or an older one that etcd still holds. */
  list(range: KeyRange, options: ListOptions): Promise<RangeList>;
  /** Reads the newest stamps of the range (linearizable), without values. */
  stamps(range: KeyRange, options: { readonly signal: AbortSignal }): Promise<StampList>;
  /** Every change from revision `start` on. */
  watch(range: KeyRange, start: number, options: RangeWatchOptions): WatchStream;
}

/** The cluster cannot be reached. The backend paces its attempts to reconnect, so a watch may begin again at once. */
export class ConnectionLostError extends ConnectionError {
  /** Applications see the public class. */
  override readonly name = 'ConnectionError';
}

/** The requested revision has been compacted. */
export class CompactedError extends EtcdTriggerError {
  readonly code = 'ETCD_COMPACTED';

  constructor(
    subject: string,
    /** The compacted revision. Later ones are available. `undefined` if the answer did not contain it. */
    readonly compactRevision: number | undefined,
  ) {
    super(`${subject}: the history is compacted${compactRevision ? ` up to revision ${compactRevision}` : ''}`);
  }
}

/** The member has not reached the requested revision: it lags, or the store has gone back. */
export class FutureRevisionError extends EtcdTriggerError {
  readonly code = 'ETCD_FUTURE_REVISION';
}

/** A message exceeded the client's receive limit. A watch with fragments can still read it. */
export class MessageTooLargeError extends EtcdTriggerError {
  readonly code = 'ETCD_MESSAGE_TOO_LARGE';
}

/** True if etcd has refused the request. An immediate retry cannot change that. */
export const isRefusal = (error: EtcdTriggerError): boolean =>
  error instanceof PermissionDeniedError ||
  error instanceof AuthenticationError ||
  error instanceof InvalidOptionsError;
