import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf } from '../backend/key-record.js';
import { FollowedRange, type FollowedRecord } from './followed-range.js';
import type { CoordinationContext } from './claim-keeper.js';
import type { CoordinationKeys } from './coordination-keys.js';
import type { ElectionLeader } from './election.js';
import { KeptKey } from './kept-key.js';
import { isRefusal } from './refusal.js';
import { type Participant, RELEASE_LIMIT_MS } from './participant.js';
import { within } from '../timing/time-limit.js';
import { weightOf } from './rendezvous.js';

/** Milliseconds between the attempts of two instances. Enough for the first to succeed and the second to see it. */
const RANK_MS = 25;

/** This process among the instances of the application. */
export interface InstanceIdentity {
  /** Unique for each start of the process and each cluster. */
  readonly id: string;
  readonly pod: string;
  readonly service: string;
}

/** The kinds of work that an instance can take part in. */
export type WorkKind = 'elections' | 'crons' | 'groups';

/** A running instance of the application, with the names of the work that it takes part in. */
export type Member = InstanceIdentity & Readonly<Record<WorkKind, readonly string[]>>;

/**
 * The list of the running instances, and this instance's entry in it. The list only spreads attempts and work: safety
 * never depends on it.
 */
export class Members implements Participant {
  readonly #context: CoordinationContext;
  readonly #instance: InstanceIdentity;
  readonly #prefix: string;
  readonly #own: KeptKey;
  readonly #work: Record<WorkKind, Set<string>> = {
    elections: new Set(),
    crons: new Set(),
    groups: new Set(),
  };
  readonly #listeners = new Set<() => void>();
  readonly #parsed = new WeakMap<FollowedRecord, Member>();
  #refusal: string | undefined;
  #followed: FollowedRange | undefined;

  constructor(context: CoordinationContext, keys: CoordinationKeys, instance: InstanceIdentity) {
    this.#context = context;
    this.#instance = instance;
    this.#prefix = keys.instances;
    this.#own = new KeptKey(context.keeper, keys.instance(instance.id), this.#value(), (error) => {
      this.#failed(error);
    });
  }

  /** Adds work of this instance to its entry. */
  announce(kind: WorkKind, name: string): void {
    if (this.#work[kind].has(name)) return;
    this.#work[kind].add(name);
    this.#own.update(this.#value());
  }

  /** Takes work of this instance out of its entry. */
  withdraw(kind: WorkKind, name: string): void {
    if (this.#work[kind].delete(name)) this.#own.update(this.#value());
  }

  /** Calls the listener after each change of the list. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  start(): void {
    if (!this.#followed) {
      this.#followed = new FollowedRange(this.#context.ranges, KeyRange.of({ prefix: keyBytesOf(this.#prefix) }));
      this.#followed.onChange(() => {
        for (const listener of this.#listeners) listener();
      });
    }
    this.#own.start();
  }

  /** All known instances, in no particular order. Empty before `start`. */
  get all(): readonly Member[] {
    return Array.from(this.#followed?.records.values() ?? [], (record) => this.#memberOf(record));
  }

  /** Ids of the known instances that take part in the work, in no particular order. */
  with(kind: WorkKind, name: string): string[] {
    return this.all.filter((member) => member[kind].includes(name)).map(({ id }) => id);
  }

  /** Resolves when the list contains this instance, or when the signal aborts. */
  async whenListed(signal: AbortSignal): Promise<void> {
    await this.#followed?.until(() => this.isListed, signal);
  }

  get isListed(): boolean {
    return this.#followed?.records.has(this.#prefix + this.#instance.id) === true;
  }

  /** The reason why etcd refuses to list this instance, as one sentence. Until it is listed, it claims nothing. */
  get problem(): string | undefined {
    return this.#own.isWritten ? undefined : this.#refusal;
  }

  /**
   * Position of this instance among those that take part in the work, from 0. The order differs from name to name and is
   * the same on every instance with the same list. `except`: the id of an instance that comes last.
   */
  rankOf(kind: WorkKind, name: string, except?: string): number {
    const { id } = this.#instance;
    const others = this.all.filter((member) => member.id !== id && member[kind].includes(name));
    if (id === except) return others.length;
    const weight = weightOf(name, id);
    return others.filter((other) => other.id !== except && weightOf(name, other.id) < weight).length;
  }

  /** Milliseconds to wait before this instance tries to claim a free key. The last owner comes last. */
  delayMs(kind: WorkKind, name: string, previous: FollowedRecord | undefined): number {
    return RANK_MS * this.rankOf(kind, name, previous && textOf(parseObject(previous.value).instance));
  }

  /** Deregisters this instance. */
  stop(): void {
    void this.#own.remove();
  }

  async drain(): Promise<void> {
    await within(this.#own.remove(), RELEASE_LIMIT_MS);
  }

  get busyKeys(): readonly string[] {
    return [];
  }

  close(): void {
    this.stop();
    this.#followed?.close();
  }

  #failed(error: unknown): void {
    if (!isRefusal(error)) return;
    const refusal = `this instance cannot be listed: ${error.message}`;
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#context.log.warn(
      `${refusal}; it takes no part in elections, cron jobs and handler groups until then; retrying`,
    );
  }

  #value(): Buffer {
    const { pod, service } = this.#instance;
    const work = Object.entries(this.#work).map(([kind, names]) => [kind, [...names]] as const);
    return Buffer.from(JSON.stringify({ v: 1, pod, service, ...Object.fromEntries(work) }));
  }

  #memberOf(record: FollowedRecord): Member {
    let member = this.#parsed.get(record);
    if (!member)
      this.#parsed.set(record, (member = parseMember(record.rawKey.slice(this.#prefix.length), record.value)));
    return member;
  }
}

/** A value that this version cannot read makes a member without work. */
export function parseMember(id: string, value: Buffer): Member {
  const { pod, service, elections, crons, groups } = parseObject(value);
  return {
    id,
    pod: textOf(pod),
    service: textOf(service),
    elections: listOf(elections),
    crons: listOf(crons),
    groups: listOf(groups),
  };
}

/** The value of a key that this instance owns. */
export const ownerValue = ({ id, pod, service }: InstanceIdentity): Buffer =>
  Buffer.from(JSON.stringify({ v: 1, instance: id, pod, service }));

/** The owner that a key names. */
export function leaderOf({ value, createRevision }: FollowedRecord): ElectionLeader {
  const { instance, pod } = parseObject(value);
  return { instance: textOf(instance), pod: textOf(pod), token: createRevision };
}

/** Parses a value of the coordination. `{}` if it is not a JSON object. */
export function parseObject(value: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(value.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** True for a value that a later version of this library has written, in a format that this one does not know. */
export function isOfLaterVersion(value: Buffer): boolean {
  const { v } = parseObject(value);
  return typeof v === 'number' && v > 1;
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
