import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { WatchHeader } from '../../backend/list-watcher.js';
import type { WatchCreateRequest, WatchResponse } from '../codec/watch-codec.js';

/** Receives what concerns one watch of a gRPC stream. Called synchronously. */
export interface WatchReceiver {
  onCreated(header: WatchHeader): void;
  onMessage(response: WatchResponse, bytes: number): void;
  /** Every event up to this revision was sent before. */
  onProgress(revision: number): void;
  /** The server denied or cancelled the watch. */
  onCanceled(response: WatchResponse): void;
  /** A message of the watch exceeds the size limit and was skipped. */
  onOversized(): void;
  /** The create has no answer, while the stream works for other watches if `isStreamAlive`. */
  onCreateTimeout(isStreamAlive: boolean): void;
  /** The watch is not created yet, and has to begin again on another stream. */
  onRestart(): void;
  /** The stream is over. All its watches receive the same error. */
  onStreamEnd(error: EtcdTriggerError): void;
}

/** One watch of a gRPC stream. */
export interface Watch {
  readonly request: WatchCreateRequest;
  readonly receiver: WatchReceiver;
  /** The id that was requested, or the one that a proxy assigned. */
  id: number;
  isCreated: boolean;
  isCanceled: boolean;
  sentAt: number;
  /** Messages that the stream had received when the create was sent. */
  messagesAtSending: number;
}
