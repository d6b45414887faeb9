import { KeyRange } from '../../backend/key-range.js';
import { keyBytesOf } from '../../backend/key-record.js';
import type { SharedRanges } from '../../watch/sharing/shared-ranges.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import type { GroupKeys } from '../coordination-keys.js';
import { FollowedRange, type FollowedRecord } from '../followed-range.js';
import { parseObject, textOf } from '../members.js';

export interface FollowedGroupOptions {
  readonly ranges: SharedRanges;
  readonly keys: GroupKeys;
  /** The configuration has changed, or is listed. */
  readonly onConfig: () => void;
  /** The owners have changed, or are listed. */
  readonly onOwners: () => void;
  /** The store has another history. */
  readonly onHistoryChanged: (reason: ResyncNotice['reason']) => void;
}

/** The owner of a partition as it was seen last. */
export interface SeenOwner {
  readonly instance: string;
  readonly pod: string;
  readonly token: number;
}

/** After this, the configuration counts as missing again: the watch may be interrupted. */
const SEEN_LIMIT_MS = 1_000;

/** Follows the configuration of a group and the owners of its partitions. */
export class FollowedGroup {
  readonly #keys: GroupKeys;
  readonly #config: FollowedRange;
  readonly #owners: FollowedRange;

  constructor({ ranges, keys, onConfig, onOwners, onHistoryChanged }: FollowedGroupOptions) {
    this.#keys = keys;
    this.#config = new FollowedRange(ranges, KeyRange.of({ key: keyBytesOf(keys.config) }));
    this.#owners = new FollowedRange(ranges, ownersRangeOf(keys), onHistoryChanged);
    this.#config.onChange(onConfig);
    this.#owners.onChange(onOwners);
  }

  /** True if both were seen once. */
  get isListed(): boolean {
    return this.#config.isListed && this.#owners.isListed;
  }

  /** `undefined` if the group was never used, or this instance has not seen it. */
  get config(): FollowedRecord | undefined {
    return this.#config.records.get(this.#keys.config);
  }

  get owners(): ReadonlyMap<number, SeenOwner> {
    const { owners: prefix } = this.#keys;
    return new Map(
      Array.from(this.#owners.records.values(), ({ rawKey, value, createRevision: token }) => {
        const { instance, pod } = parseObject(value);
        return [Number(rawKey.slice(prefix.length)), { instance: textOf(instance), pod: textOf(pod), token }];
      }),
    );
  }

  /** The owner keys and their revision. */
  get ownerKeys(): Pick<FollowedRange, 'revision' | 'records'> {
    return this.#owners;
  }

  /** Resolves when the configuration is there. Rejects after a second without it. */
  async whenConfigured(): Promise<void> {
    await this.#config.until(() => this.config !== undefined, AbortSignal.timeout(SEEN_LIMIT_MS));
  }

  close(): void {
    this.#config.close();
    this.#owners.close();
  }
}

export const ownersRangeOf = ({ owners }: Pick<GroupKeys, 'owners'>): KeyRange =>
  KeyRange.of({ prefix: keyBytesOf(owners) });
