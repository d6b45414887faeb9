import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf, type KeyRecord, keyText } from '../backend/key-record.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import type { CoordinationKeys } from './coordination-keys.js';
import { parseConfig } from './groups/group-config.js';
import { parseCursor } from './groups/group-cursor.js';
import { parseLastTick } from './last-tick.js';
import { type Member, parseMember, parseObject, textOf, type WorkKind } from './members.js';

/** The instance that owns something. Its names come from etcd as they are. */
export interface ListedOwner {
  readonly instance: string;
  readonly pod: string;
  readonly service: string;
  /** Revision at which it became the owner, or for a lock, at which it began to wait. */
  readonly since: number;
}

/** An election, with or without a leader. */
export interface ListedElection {
  readonly name: string;
  readonly leader: ListedOwner | undefined;
  /** Number of instances that are candidates. */
  readonly candidates: number;
}

/** A lock that an instance owns. */
export interface ListedLock {
  readonly name: string;
  readonly owner: ListedOwner;
  /** Number of calls that wait for it. */
  readonly waiting: number;
}

/** A cron job. */
export interface ListedCron {
  readonly name: string;
  readonly owner: ListedOwner | undefined;
  /** Number of instances that may run it. */
  readonly instances: number;
  /** The tick that was started last; `undefined` if there is none, or this version cannot read it. */
  readonly lastTick: Date | undefined;
}

/** A handler group. */
export interface ListedGroup {
  readonly name: string;
  /** `undefined` if this version cannot read the configuration of the group. */
  readonly target: string | undefined;
  /** `undefined` as `target`. */
  readonly partitions: number | undefined;
  /** The owners of partitions, by the number of the partition. */
  readonly owners: ReadonlyMap<string, ListedOwner>;
  /** Number of instances that take part. */
  readonly instances: number;
  /** Every partition has handled its events up to this revision, as it was last stored. */
  readonly revision: number | undefined;
  /** The time at which the oldest of the cursors was stored. */
  readonly storedAt: Date | undefined;
  /** Number of parked events. */
  readonly parked: number;
}

export interface CoordinationOverviewOptions {
  readonly listWatcher: Pick<ListWatcher, 'list' | 'stamps'>;
  readonly keys: CoordinationKeys;
  readonly signal: AbortSignal;
}

/** Lists what etcd stores about the shared work of all instances. Takes no part in it and writes nothing. */
export class CoordinationOverview {
  readonly #options: CoordinationOverviewOptions;

  constructor(options: CoordinationOverviewOptions) {
    this.#options = options;
  }

  /** Sorted by name. */
  async elections(): Promise<ListedElection[]> {
    const [records, members] = await Promise.all([this.#records('elections'), this.#members()]);
    const leaders = new Map(records.map(({ name, record }) => [name, parseOwner(record)]));
    return namesOf(leaders.keys(), members, 'elections').map((name) => ({
      name,
      leader: leaders.get(name),
      candidates: countOf(members, 'elections', name),
    }));
  }

  /** Sorted by name. The key that was created first owns the lock. */
  async locks(): Promise<ListedLock[]> {
    const queues = new Map<string, KeyRecord[]>();
    for (const { name: path, record } of await this.#records('locks')) {
      const name = path.slice(0, path.lastIndexOf('/'));
      queues.set(name, [...(queues.get(name) ?? []), record]);
    }
    return sorted(queues.keys()).flatMap((name) => {
      const queue = queues.get(name) ?? [];
      const [first, ...waiting] = queue.sort((a, b) => a.createRevision - b.createRevision);
      return first ? [{ name, owner: parseOwner(first), waiting: waiting.length }] : [];
    });
  }

  /** Sorted by name. */
  async crons(): Promise<ListedCron[]> {
    const [records, members] = await Promise.all([this.#records('crons'), this.#members()]);
    const found = new Map(records.map(({ name, record }) => [name, record]));
    const stored = [...found.keys()].flatMap((name) => /^(.*)\/(?:owner|last)$/s.exec(name)?.[1] ?? []);
    return namesOf(stored, members, 'crons').map((name) => {
      const owner = found.get(`${name}/owner`);
      const { at } = parseLastTick(found.get(`${name}/last`));
      return {
        name,
        owner: owner && parseOwner(owner),
        instances: countOf(members, 'crons', name),
        lastTick: at === undefined ? undefined : new Date(at),
      };
    });
  }

  /** Sorted by name. Reads neither the values of parked events nor remembered keys. */
  async groups(): Promise<ListedGroup[]> {
    const { listWatcher, keys, signal } = this.#options;
    const range = rangeOf(keys.all('groups'));
    const [{ stamps }, members] = await Promise.all([listWatcher.stamps(range, { signal }), this.#members()]);
    const paths = stamps.map(({ rawKey }) => keyText(rawKey.slice(range.rawKey.length)));
    const stored = paths.flatMap((path) => /^(.*)\/config$/s.exec(path)?.[1] ?? []);
    const parkedOf = (name: string): number => paths.filter((path) => path.startsWith(`${name}/parked/`)).length;
    const names = namesOf(stored, members, 'groups');
    return Promise.all(
      names.map((name) => this.#group(name, { instances: countOf(members, 'groups', name), parked: parkedOf(name) })),
    );
  }

  async #group(name: string, counts: Pick<ListedGroup, 'instances' | 'parked'>): Promise<ListedGroup> {
    const keys = this.#options.keys.group(name);
    const [[config], owners, cursors] = await Promise.all([
      this.#list(KeyRange.of({ key: keyBytesOf(keys.config) })),
      this.#list(rangeOf(keys.owners)),
      this.#list(rangeOf(keys.cursors)),
    ]);
    const { target, partitions } = (config && parseConfig(config.value)) ?? {};
    const read = cursors.flatMap(({ value }) => parseCursor(value) ?? []);
    const isComplete = read.length > 0 && read.length === cursors.length;
    return {
      name,
      target,
      partitions,
      owners: new Map(owners.map((record) => [keyText(record.rawKey.slice(keys.owners.length)), parseOwner(record)])),
      revision: isComplete ? Math.min(...read.map(({ cursor }) => cursor.r)) : undefined,
      storedAt: isComplete ? new Date(Math.min(...read.map(({ at }) => at))) : undefined,
      ...counts,
    };
  }

  async #members(): Promise<Member[]> {
    const { instances } = this.#options.keys;
    const records = await this.#list(rangeOf(instances));
    return records.map(({ rawKey, value }) => parseMember(rawKey.slice(instances.length), value));
  }

  async #records(
    kind: 'elections' | 'locks' | 'crons',
  ): Promise<{ readonly name: string; readonly record: KeyRecord }[]> {
    const range = rangeOf(this.#options.keys.all(kind));
    const records = await this.#list(range);
    return records.map((record) => ({ name: keyText(record.rawKey.slice(range.rawKey.length)), record }));
  }

  async #list(range: KeyRange): Promise<KeyRecord[]> {
    const { listWatcher, signal } = this.#options;
    return [...(await listWatcher.list(range, { signal })).records.values()];
  }
}

function parseOwner({ value, createRevision }: KeyRecord): ListedOwner {
  const { instance, pod, service } = parseObject(value);
  return { instance: textOf(instance), pod: textOf(pod), service: textOf(service), since: createRevision };
}

const rangeOf = (rawPrefix: string): KeyRange => KeyRange.of({ prefix: keyBytesOf(rawPrefix) });

const countOf = (members: readonly Member[], kind: WorkKind, name: string): number =>
  members.filter((member) => member[kind].includes(name)).length;

/** The names that are stored, and those that only instances know. */
const namesOf = (stored: Iterable<string>, members: readonly Member[], kind: WorkKind): string[] =>
  sorted([...stored, ...members.flatMap((member) => member[kind])]);

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
