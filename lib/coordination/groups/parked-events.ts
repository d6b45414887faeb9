import { KeyRange } from '../../backend/key-range.js';
import { keyBytesOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { CompactedError } from '../../backend/list-watcher.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { SharedRanges } from '../../watch/sharing/shared-ranges.js';
import { ChangeEvent } from '../../watch/stream/change-event.js';
import { FollowedRange } from '../followed-range.js';
import { isRefusal } from '../refusal.js';
import { parkedValueOf, type ParkedRecord, parseParked } from './parked-record.js';
import type { PartitionOwner } from './partition-owner.js';

export interface ParkedEventsOptions {
  readonly ranges: SharedRanges;
  readonly keyValue: KeyValueStore;
  /** Raw prefix of the parked events. */
  readonly prefix: string;
  /** The owner of the partition of a key, if this instance owns and follows it. */
  readonly ownerOf: (rawKey: string) => PartitionOwner | undefined;
  /** An event cannot be handled again, because etcd no longer has its value. */
  readonly onUnavailable: (sentence: string) => void;
  /** An event cannot be handled again yet; it is tried again. */
  readonly onDelayed: (sentence: string) => void;
}

/** Follows the parked events of a group, and lets the owners of their partitions handle those that are redriven. */
export class ParkedEvents {
  readonly #options: ParkedEventsOptions;
  readonly #followed: FollowedRange;
  /** The keys whose events are being handled again. */
  readonly #running = new Set<string>();
  readonly #closing = new AbortController();

  constructor(options: ParkedEventsOptions) {
    this.#options = options;
    this.#followed = new FollowedRange(options.ranges, KeyRange.of({ prefix: keyBytesOf(options.prefix) }));
    this.#followed.onChange(() => {
      this.redrive();
    });
  }

  /** Number of parked events of all instances, as last seen. */
  get count(): number {
    return this.#followed.records.size;
  }

  /** Hands the redriven events to the partitions that can handle them now. */
  redrive(): void {
    for (const { rawKey, value } of this.#followed.records.values()) {
      const record = this.#running.has(rawKey) ? undefined : parseParked(value);
      if (record?.redrive === true) this.#begin(rawKey, record);
    }
  }

  close(): void {
    this.#closing.abort();
    this.#followed.close();
  }

  #begin(rawKey: string, record: ParkedRecord): void {
    const owner = this.#options.ownerOf(record.key);
    if (!owner) return;
    this.#running.add(rawKey);
    void this.#run(owner, rawKey).finally(() => {
      this.#running.delete(rawKey);
      // The next owner may have begun meanwhile.
      if (!owner.isActive) this.redrive();
    });
  }

  /** Repeats what etcd does not answer, or refuses, as long as the partition has this owner. */
  async #run(owner: PartitionOwner, rawKey: string): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; owner.isActive && !signal.aborted; failures += 1) {
      try {
        await this.#redriveOne(owner, rawKey);
        return;
      } catch (error) {
        if (failures === 0) this.#options.onDelayed(`a parked event cannot be handled again yet: ${messageOf(error)}`);
        await quietPause(isRefusal(error) && failures > 2 ? BACKOFF.refused() : BACKOFF.soon(failures), signal);
      }
    }
  }

  async #redriveOne(owner: PartitionOwner, rawKey: string): Promise<void> {
    // What was seen may be out of date: the event may be handled already, by this owner or a former one.
    const { record: stored } = await this.#options.keyValue.get(rawKey);
    const record = stored && parseParked(stored.value);
    if (record?.redrive !== true) return;
    const event = await this.#eventOf(record);
    if (event) {
      await owner.handleParked(event, { rawKey, record });
      return;
    }
    this.#options.onUnavailable(
      `a parked event of revision ${record.revision} cannot be handled again, because etcd no longer has its value`,
    );
    await owner.keepParked({ rawKey, record: { ...record, error: 'CompactedError' } });
  }

  /** Returns `undefined` if the value is no longer there. */
  async #eventOf(record: ParkedRecord): Promise<ChangeEvent | undefined> {
    const { key: rawKey, type, revision, createRevision, version } = record;
    if (type === 'delete') return new ChangeEvent({ rawKey, value: undefined, revision }, undefined, 'live');
    const value = parkedValueOf(record) ?? (await this.#read(rawKey, revision));
    const change = { rawKey, revision, createRevision, version, lease: undefined };
    return value && new ChangeEvent({ ...change, value }, undefined, 'live');
  }

  async #read(rawKey: string, revision: number): Promise<Buffer | undefined> {
    try {
      return (await this.#options.keyValue.get(rawKey, { revision })).record?.value;
    } catch (error) {
      if (error instanceof CompactedError) return undefined;
      throw error;
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'it failed unexpectedly');
