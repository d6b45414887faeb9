import type { KeyRange } from '../../backend/key-range.js';
import type { Condition, Operation, TransactionResult } from '../../backend/key-value-store.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import type { ResolvedDelivery } from '../../watch/delivery/delivery-options.js';
import type { ResyncNotice, WatchFailure, WatchHandler } from '../../watch/watch-event.js';
import type { ResolvedGroup } from './group-options.js';
import type { PartitionText } from './partition-of.js';

/** The writes of a `commit()`, which are sent together with the cursor. */
export interface GroupEffects {
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
  /**
   * Interprets the result of the transaction, whose first conditions are those of the effects. Resolves when readers of
   * this process see the writes.
   * @throws RevisionConflictError, FenceLostError
   */
  readonly outcome: (result: TransactionResult) => Promise<void>;
  /** Returns effects for another attempt if etcd has refused a lease of these; rejects with any other error. */
  readonly renewed: (error: unknown) => Promise<GroupEffects>;
}

/** The handler of a group on this instance. */
export interface GroupHandler {
  readonly options: ResolvedGroup;
  /** `Class.method`. */
  readonly name: string;
  readonly range: KeyRange;
  /** The target with its pattern: part of the group's configuration. */
  readonly target: string;
  /** `undefined`: the target contains every key of the range, and the key decides about its partition. */
  readonly partitionText: PartitionText | undefined;
  readonly handler: WatchHandler;
  readonly delivery: ResolvedDelivery;
  /** True if a parked event may contain the value. */
  readonly mayStoreValues: boolean;
  /**
   * Plans the writes of a `commit()`.
   * @throws InvalidOptionsError, InvalidConfigError
   */
  readonly planEffects: (what: string, build: (tx: ConfigTransaction) => void) => Promise<GroupEffects>;
  readonly onResync: (notice: ResyncNotice) => unknown;
  readonly onError: (failure: WatchFailure) => unknown;
}
