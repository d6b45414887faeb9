/** One write of one key, as the store did it. Values are fingerprints: short ones as they are, long ones as their digest. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
  /** 0 on delete, as `version` is. */
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | undefined;
}

/** One write of one key, as a listener was given it. What a kind of listener is not told is left out and not judged. */
export interface SeenEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string | undefined;
  readonly previous: string | undefined;
  readonly revision: number;
  readonly origin: 'initial' | 'live' | 'resync';
  readonly details?: Pick<Change, 'createRevision' | 'version' | 'lease'>;
}

/** What the library says it could not deliver one by one. */
export interface SeenNotice {
  readonly fromRevision: number;
  readonly toRevision: number;
  readonly reason: 'compacted' | 'restored' | 'cluster-changed';
}

/** What the laboratory took from a listener: history up to a revision, or the whole past. */
export type Loss =
  | { readonly kind: 'compacted'; readonly revision: number }
  /** From now on the store is another one: the truth's past with this number. */
  | { readonly kind: 'replaced'; readonly past: number };

/** Everything that happened to one listener, in the order in which it happened. */
export type Entry =
  | { readonly kind: 'event'; readonly event: SeenEvent }
  /** All of one revision, or of one list, in one call. */
  | { readonly kind: 'batch'; readonly revision: number; readonly events: readonly SeenEvent[] }
  | { readonly kind: 'notice'; readonly notice: SeenNotice }
  | { readonly kind: 'loss'; readonly loss: Loss };

export type History = readonly Entry[];
