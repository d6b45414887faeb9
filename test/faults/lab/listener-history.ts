/** A write of one key, as applied by the store. Short values are kept unchanged, long ones as a digest. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
  /** 0 for a delete, like `version`. */
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | undefined;
}

/** A write of one key, as delivered to a listener. Fields that a kind of listener does not receive are not checked. */
export interface SeenEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string | undefined;
  readonly previous: string | undefined;
  readonly revision: number;
  readonly origin: 'initial' | 'live' | 'resync';
  readonly details?: Pick<Change, 'createRevision' | 'version' | 'lease'>;
}

/** A resync notice. */
export interface SeenNotice {
  readonly fromRevision: number;
  readonly toRevision: number;
  readonly reason: 'compacted' | 'restored' | 'cluster-changed';
}

/** History that a fault has removed: the revisions up to a compaction, or the whole store. */
export type Loss =
  | { readonly kind: 'compacted'; readonly revision: number }
  /** The store was replaced by the incarnation with this index. */
  | { readonly kind: 'replaced'; readonly incarnation: number };

/** One entry of a listener's history. */
export type Entry =
  | { readonly kind: 'event'; readonly event: SeenEvent }
  /** All events of one revision, or of the initial list, in one call. */
  | { readonly kind: 'batch'; readonly revision: number; readonly events: readonly SeenEvent[] }
  | { readonly kind: 'notice'; readonly notice: SeenNotice }
  | { readonly kind: 'loss'; readonly loss: Loss };

export type History = readonly Entry[];
