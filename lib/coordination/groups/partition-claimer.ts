import { quoted } from '../../foreign/foreign-text.js';
import { Claim } from '../claim.js';
import type { CoordinationContext } from '../claim-keeper.js';
import { type GroupKeys, partitionName } from '../coordination-keys.js';
import { type InstanceIdentity, ownerValue } from '../members.js';
import {
  claimedCursor,
  type CursorStamp,
  type GroupCursor,
  parseCursor,
  serializeCursor,
  unknownFieldsOf,
} from './group-cursor.js';

export interface PartitionClaimerOptions {
  readonly group: string;
  /** Number of partitions, which decides about the names of the fences. */
  readonly partitions: number;
  readonly keys: GroupKeys;
  readonly context: CoordinationContext;
  readonly instance: InstanceIdentity;
  readonly stamp: () => CursorStamp;
  /** etcd has answered that an owner key no longer exists. */
  readonly onLost: (partition: number) => void;
}

/** A partition that this instance owns now. */
export interface ClaimedPartition {
  readonly claim: Claim;
  readonly cursorKey: string;
  /** The cursor as it was stored with the claim. */
  readonly cursor: GroupCursor;
  /** The create revision of the key that stores it. */
  readonly createRevision: number;
  /** True if the last owner may have called the handler with events that are not handled. */
  readonly mayRepeat: boolean;
}

/** The cursor of a partition cannot be used. Nobody but an operator can change that. */
export class CursorProblem extends Error {}

/** Claims partitions: the owner key and the cursor are written in one transaction. */
export class PartitionClaimer {
  readonly #options: PartitionClaimerOptions;
  /** The fields of cursors that were reported as left out. */
  readonly #reported = new Set<string>();

  constructor(options: PartitionClaimerOptions) {
    this.#options = options;
  }

  /**
   * Tries once. `undefined` if the partition has an owner, or if the configuration or the cursor was written meanwhile.
   * @param config revision of the group's configuration
   * @throws CursorProblem if the cursor is missing or cannot be read
   * @throws EtcdTriggerError if etcd refuses the claim
   * @throws the reason of an abort
   */
  async claim(partition: number, config: number, signal: AbortSignal): Promise<ClaimedPartition | undefined> {
    const { keys, context, instance, stamp, onLost, group } = this.#options;
    const { keeper, keyValue, fences } = context;
    const cursorKey = keys.cursors + partitionName(partition);
    const rawKey = keys.owners + partitionName(partition);
    const { record } = await keyValue.get(cursorKey);
    if (!record)
      throw new CursorProblem(
        this.#problem(partition, 'was deleted; let the group begin again by GroupRegistry.reset()'),
      );
    const found = parseCursor(record.value);
    if (!found)
      throw new CursorProblem(this.#problem(partition, 'was written by another version; update this instance'));
    const { cursor: last } = found;
    const cursor = claimedCursor(last, record.revision);
    const lease = await keeper.lease(signal);
    const outcome = await keeper.create(
      lease,
      {
        rawKey,
        value: ownerValue(instance),
        conditions: [
          { rawKey: keys.config, revision: config },
          { rawKey: cursorKey, revision: record.revision },
        ],
        operations: [{ type: 'put', rawKey: cursorKey, value: serializeCursor(cursor, stamp()) }],
        onLost: () => {
          onLost(partition);
        },
      },
      signal,
    );
    if (!outcome.created) return undefined;
    this.#reportLost(unknownFieldsOf(record.value));
    const name = this.#options.partitions === 1 ? group : `${group}/${partition}`;
    const { createRevision } = outcome;
    const claim = new Claim({ name, rawKey, createRevision, lease, keeper, keyValue, fences });
    const mayRepeat = last.released !== true || last.interrupted === true;
    return { claim, cursorKey, cursor, createRevision: record.createRevision, mayRepeat };
  }

  #reportLost(fields: readonly string[]): void {
    const { group, context } = this.#options;
    const added = fields.filter((field) => !this.#reported.has(field));
    if (added.length === 0) return;
    for (const field of added) this.#reported.add(field);
    context.log.warn(
      `a later version of this library has stored more in the cursors of the group ${quoted(group)} (${added.map(quoted).join(', ')}); this instance stores them without that`,
    );
  }

  #problem(partition: number, fault: string): string {
    return `partition ${partition} of the group ${quoted(this.#options.group)} is stopped: its cursor ${fault}`;
  }
}
