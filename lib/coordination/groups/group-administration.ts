import { KeyRange } from '../../backend/key-range.js';
import { keyBytesOf, type KeyRecord } from '../../backend/key-record.js';
import type { Condition, KeyValueStore, Operation } from '../../backend/key-value-store.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { TransactionLimits } from '../../backend/transaction-limits.js';
import { GroupBusyError, InvalidOptionsError, WriteError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { isOfLaterVersion } from '../members.js';
import { type CoordinationKeys, type GroupKeys, partitionName } from '../coordination-keys.js';
import { cursorKeys, firstCursor, type GroupConfig, parseConfig, serializeConfig } from './group-config.js';
import { type CursorStamp, type GroupCursor, parseCursor, revisionOf, serializeCursor } from './group-cursor.js';
import { type ParkedRecord, parseParked, serializeParked } from './parked-record.js';

/** An owner can store a checkpoint between the read of the cursors and the reset, but hardly again and again. */
const RESET_ATTEMPTS = 5;

export interface GroupAdministrationOptions {
  readonly keyValue: KeyValueStore;
  readonly listWatcher: Pick<ListWatcher, 'list'>;
  readonly keys: CoordinationKeys;
  readonly limits: TransactionLimits;
  readonly stamp: () => CursorStamp;
}

/** A cursor as it is stored, with the key and revision of that. */
interface FoundCursor {
  readonly condition: Condition;
  readonly createRevision: number;
  readonly cursor: GroupCursor;
}

/** Changes what etcd stores of groups, whether or not this instance takes part in them. */
export class GroupAdministration {
  readonly #options: GroupAdministrationOptions;

  constructor(options: GroupAdministrationOptions) {
    this.#options = options;
  }

  /** True if etcd stores the group. */
  async exists(name: string): Promise<boolean> {
    return (await this.#options.keyValue.get(this.#keysOf(name).config)).record !== undefined;
  }

  /** @throws InvalidOptionsError if etcd does not store the group */
  async checkExists(what: string, name: string): Promise<void> {
    if (!(await this.exists(name))) throw unknownGroup(what);
  }

  /** The parked events by raw key, oldest first. */
  async parked(name: string): Promise<{ readonly key: KeyRecord; readonly record: ParkedRecord }[]> {
    const records = await this.#list(this.#keysOf(name).parked);
    return records
      .flatMap((key) => {
        const record = parseParked(key.value);
        return record ? [{ key, record }] : [];
      })
      .sort((a, b) => a.record.revision - b.record.revision);
  }

  /**
   * Marks all parked events, so that the owners of their partitions call the handler again. Returns their number.
   * `onProgress` is called before each write, with the number of events that are marked, and of all.
   */
  async redrive(name: string, onProgress?: (count: number, all: number) => void): Promise<number> {
    let count = 0;
    const parked = await this.parked(name);
    for (const { key, record } of parked) {
      onProgress?.(count, parked.length);
      const { rawKey, revision } = key;
      const operation: Operation = { type: 'put', rawKey, value: serializeParked({ ...record, redrive: true }) };
      const what = `redrive an event of the group ${quoted(name)}`;
      // An event that was handled meanwhile is not parked any more.
      const { applied } = await this.#options.keyValue.commit({
        what,
        conditions: [{ rawKey, revision }],
        operations: [operation],
      });
      if (applied) count += 1;
    }
    return count;
  }

  /** @throws GroupBusyError, InvalidOptionsError */
  async repartition(name: string, partitions: number): Promise<void> {
    const what = `repartition the group ${quoted(name)}`;
    const keys = this.#keysOf(name);
    const { config, condition } = await this.#config(what, keys);
    if (config.partitions === partitions) return;
    const found = await Promise.all(cursorKeys(keys, config.partitions).map((rawKey) => this.#cursor(what, rawKey)));
    const cursors = found.map(({ cursor }) => cursor);
    const next = cursors.every(isUntouched) ? firstCursor(fromOf(cursors[0])) : this.#joined(what, config, found);
    const stamp = this.#options.stamp();
    const cursor = serializeCursor(next, stamp);
    this.#checkSize(what, cursor, partitions);
    const kept = cursorKeys(keys, partitions);
    const removed = cursorKeys(keys, config.partitions).slice(partitions);
    const result = await this.#options.keyValue.commit({
      what,
      conditions: [condition, { rawKey: keys.owners, noneCreatedBefore: 0 }, ...found.map((each) => each.condition)],
      operations: [
        { type: 'put', rawKey: keys.config, value: serializeConfig({ ...config, partitions }) },
        ...kept.map((rawKey): Operation => ({ type: 'put', rawKey, value: cursor })),
        ...removed.map((rawKey): Operation => ({ type: 'delete', rawKey })),
      ],
    });
    if (result.applied) return;
    const hasOwner = result.current[1] !== undefined;
    throw new GroupBusyError(
      `${what}: ${hasOwner ? 'instances own partitions; stop all instances with the former number of partitions first' : 'somebody else has changed it meanwhile; try again'}`,
    );
  }

  /**
   * In one transaction: an owner acts on the former cursor, or on the new one. The names of keys stay, until the new
   * owners delete them.
   * @param own the configuration of this instance, if it has the handler
   */
  async reset(name: string, from: 'existing' | 'now', own: GroupConfig | undefined): Promise<void> {
    const what = `reset the group ${quoted(name)}`;
    const keys = this.#keysOf(name);
    const { config, condition } = await this.#config(what, keys);
    const next = { ...(own ?? config), others: config.others };
    const written = cursorKeys(keys, next.partitions);
    const former = cursorKeys(keys, config.partitions).slice(next.partitions);
    const deleteOwners = Array.from(
      { length: Math.max(config.partitions, next.partitions) },
      (_, partition): Operation => ({ type: 'delete', rawKey: keys.owners + partitionName(partition) }),
    );
    const cursor = serializeCursor(firstCursor(from), this.#options.stamp());
    const operations: Operation[] = [
      { type: 'put', rawKey: keys.config, value: serializeConfig(next) },
      ...written.map((rawKey): Operation => ({ type: 'put', rawKey, value: cursor })),
      ...deleteOwners,
      ...former.map((rawKey): Operation => ({ type: 'delete', rawKey })),
    ];
    const busy = new GroupBusyError(`${what}: somebody else has changed it meanwhile; try again`);
    for (let attempt = 0; attempt < RESET_ATTEMPTS; attempt += 1) {
      const unchanged = await this.#readableCursors(what, keys, written);
      const { applied } = await this.#options.keyValue.commit({
        what,
        conditions: [condition, ...unchanged],
        operations,
      });
      if (applied) return;
      // Owners write their cursors at any time. Until they own their partitions again, the cursors stay as they are.
      const ended = await this.#options.keyValue.commit({ what, conditions: [condition], operations: deleteOwners });
      if (!ended.applied) throw busy;
    }
    throw busy;
  }

  /**
   * Returns the conditions that the cursors stay as they are.
   * @throws WriteError if a later version has stored one of them
   */
  async #readableCursors(what: string, keys: GroupKeys, written: readonly string[]): Promise<Condition[]> {
    const cursors = await this.#list(keys.cursors);
    if (cursors.some(({ value }) => isOfLaterVersion(value))) throw otherVersion(what);
    const found = new Map(cursors.map(({ rawKey, revision }) => [rawKey, revision]));
    for (const rawKey of written) if (!found.has(rawKey)) found.set(rawKey, 0);
    return Array.from(found, ([rawKey, revision]) => ({ rawKey, revision }));
  }

  /** One cursor that begins where the one that is furthest behind is, and knows what the others have handled. */
  #joined(what: string, { partitions }: GroupConfig, found: readonly FoundCursor[]): GroupCursor {
    const cursors = found.map(({ cursor }) => cursor);
    const clusters = new Set(cursors.map(({ cluster }) => cluster).filter((cluster) => cluster !== ''));
    const isForeign = found.some(
      ({ cursor: { created }, createRevision }) => (created ?? createRevision) !== createRevision,
    );
    if (clusters.size > 1 || isForeign) {
      throw new GroupBusyError(
        `${what}: a cursor belongs to another cluster, or was copied; let instances with the former number of partitions handle that first`,
      );
    }
    const highest = Math.max(...cursors.map(({ r }) => r));
    const isUnfinished = cursors.some(
      ({ phase, was, r }) =>
        phase !== undefined || was?.cursors.some((former) => Math.max(former.r, ...former.done.map(revisionOf)) > r),
    );
    if (isUnfinished) {
      throw new GroupBusyError(
        `${what}: a list, or the last change of the partitions, is not handled yet; let the instances handle it first`,
      );
    }
    const isReleased = cursors.every(({ released, interrupted }) => released === true && interrupted !== true);
    return {
      r: Math.min(...cursors.map(({ r }) => r)),
      done: [],
      stalls: 0,
      cluster: [...clusters][0] ?? '',
      remembers: cursors.every(({ remembers }) => remembers === true) ? true : undefined,
      released: isReleased ? true : undefined,
      was: cursors.every(({ r, done }) => r === highest && done.length === 0)
        ? undefined
        : { partitions, cursors: cursors.map(({ r, done }) => ({ r, done })) },
    };
  }

  /** The cursors are written together, and each of them again with every checkpoint and every `commit()`. */
  #checkSize(what: string, { length }: Buffer, partitions: number): void {
    if (length * partitions <= this.#options.limits.requestBytes / 2) return;
    throw new GroupBusyError(
      `${what}: too many events are handled after one that is not; start instances with the former number of partitions, let them handle it or skip it, and stop them`,
    );
  }

  #keysOf(name: string): GroupKeys {
    return this.#options.keys.group(name);
  }

  async #config(
    what: string,
    { config: rawKey }: GroupKeys,
  ): Promise<{ readonly config: GroupConfig; readonly condition: Condition }> {
    const { record } = await this.#options.keyValue.get(rawKey);
    if (!record) throw unknownGroup(what);
    const config = parseConfig(record.value);
    if (config) return { config, condition: { rawKey, revision: record.revision } };
    throw otherVersion(what);
  }

  async #cursor(what: string, rawKey: string): Promise<FoundCursor> {
    const { record } = await this.#options.keyValue.get(rawKey);
    const found = record && parseCursor(record.value);
    if (found) {
      const { revision, createRevision } = record;
      return { condition: { rawKey, revision }, createRevision, cursor: found.cursor };
    }
    if (record && isOfLaterVersion(record.value)) throw otherVersion(what);
    throw new WriteError(
      `${what}: a cursor is missing or cannot be read; let the group begin again by GroupRegistry.reset()`,
    );
  }

  async #list(prefix: string): Promise<KeyRecord[]> {
    const range = KeyRange.of({ prefix: keyBytesOf(prefix) });
    const { signal } = new AbortController();
    return [...(await this.#options.listWatcher.list(range, { signal })).records.values()];
  }
}

const unknownGroup = (what: string): InvalidOptionsError =>
  new InvalidOptionsError(`${what}: etcd has no such group; no instance has used it yet`);

const otherVersion = (what: string): WriteError =>
  new WriteError(`${what}: another version of this library has stored it; update this instance`);

/** True for a cursor of a group that nobody has begun to handle. */
const isUntouched = ({ phase, r }: GroupCursor): boolean => phase === 'now' || (phase === 'initial' && r === 0);

const fromOf = (cursor: GroupCursor | undefined): 'existing' | 'now' => (cursor?.phase === 'now' ? 'now' : 'existing');
