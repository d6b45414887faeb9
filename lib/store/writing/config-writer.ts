import {
  InvalidConfigError,
  InvalidOptionsError,
  RevisionConflictError,
  UnknownOutcomeError,
} from '../../etcd-trigger.errors.js';
import { checkInteger } from '../../option-checks.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { Condition, KeyValueStore, Operation } from '../../backend/key-value-store.js';
import type { Lease } from '../../backend/lease-store.js';
import type { ConfigLeases, LeaseOptions } from './config-leases.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** How long a write waits until readers of this process see it. */
const VISIBLE_LIMIT_MS = 5_000;

/** What has to hold for a `StoreService.put`. */
export interface PutOptions {
  /** Write only if the key was last written at this revision. */
  readonly ifRevision?: number;
  /** Write only if the key is absent. */
  readonly ifAbsent?: boolean;
  /**
   * The key lives as long as this process: it hangs on a lease that is kept alive until the key is written or deleted by anybody, or the module
   * closes.
   * @default none: the key stays
   */
  readonly lease?: LeaseOptions;
}

/** What has to hold for a `StoreService.delete`. */
export interface DeleteOptions {
  /** Delete only if the key was last written at this revision. */
  readonly ifRevision?: number;
}

/** A write that was applied. */
export interface WriteResult {
  /** Of the store when it was applied. */
  readonly revision: number;
  /** Whether readers of this process see it already; they will. */
  readonly visible: boolean;
}

/** One checked part of a write. */
export interface KeyWrite {
  readonly feed: DefinitionFeed;
  readonly key: string;
  readonly operation: Operation;
  /** Revision that the key must be at, 0: absent. */
  readonly expected: number | undefined;
}

export type AppliedWrite = WriteResult & { readonly applied: true; readonly deleted: readonly string[] };

/** What became of a write: applied, or in conflict with what the first key that is not as expected holds. */
export type WriteAttempt =
  | AppliedWrite
  | { readonly applied: false; readonly conflict: RevisionConflictError; readonly current: KeyRecord | undefined };

/** Validates, writes once, and waits until this process's own readers see it. */
export class ConfigWriter {
  readonly #keyValue: KeyValueStore;
  readonly #leases: ConfigLeases;

  constructor(keyValue: KeyValueStore, leases: ConfigLeases) {
    this.#keyValue = keyValue;
    this.#leases = leases;
  }

  async put(feed: DefinitionFeed, key: string, value: object, options: PutOptions): Promise<WriteResult> {
    const what = `put "${key}"`;
    const write = await plannedPut(feed, key, value, expectedRevision(what, key, options));
    return options.lease ? this.#putLeased(what, write, options.lease) : written(await this.apply(what, [write]));
  }

  async delete(
    feed: DefinitionFeed,
    key: string,
    options: DeleteOptions,
  ): Promise<WriteResult & { readonly deleted: boolean }> {
    const what = `delete "${key}"`;
    const write = plannedDelete(feed, key, expectedRevision(what, key, options));
    const { revision, visible, deleted } = await this.apply(what, [write]);
    return { revision, deleted: deleted.length > 0, visible };
  }

  /** All or nothing; says what happened, also where it is a conflict. `lease`: what the puts hang on. */
  async attempt(what: string, writes: readonly KeyWrite[], lease?: Lease): Promise<WriteAttempt> {
    const [only] = writes;
    const conditional = writes.filter(({ expected }) => expected !== undefined);
    const result = await this.#keyValue.commit({
      what,
      key: writes.length === 1 ? only?.key : undefined,
      conditions: conditional.map(conditionOf),
      operations: writes.map(({ operation }) =>
        operation.type === 'put' ? { ...operation, lease: lease?.id } : operation,
      ),
    });
    if (!result.applied) return conflictOf(conditional, result.current);
    const { revision, deleted } = result;
    for (const write of writes) this.#noteLease(write, lease, revision);
    // Deleting what is absent shows nothing that readers could wait for.
    const shown = writes.filter(({ operation: { type, rawKey } }) => type === 'put' || deleted.includes(rawKey));
    const feeds = new Set(shown.map(({ feed }) => feed));
    const seen = await Promise.all([...feeds].map((feed) => feed.whenVisible(revision, VISIBLE_LIMIT_MS)));
    return { applied: true, revision, deleted, visible: !seen.includes(false) };
  }

  /** @throws RevisionConflictError */
  async apply(what: string, writes: readonly KeyWrite[], lease?: Lease): Promise<AppliedWrite> {
    const result = await this.attempt(what, writes, lease);
    if (!result.applied) throw result.conflict;
    return result;
  }

  async #putLeased(what: string, write: KeyWrite, options: LeaseOptions): Promise<WriteResult> {
    const lease = await this.#leases.grant(write.key, options);
    try {
      return written(await this.apply(what, [write], lease));
    } catch (error) {
      // What may have been applied ends with its lease, unless the application puts it again.
      if (!(error instanceof UnknownOutcomeError)) this.#leases.discard(lease);
      throw error;
    }
  }

  #noteLease({ feed, key, operation }: KeyWrite, lease: Lease | undefined, revision: number): void {
    this.#leases.release(key, revision);
    if (lease && operation.type === 'put') this.#leases.hold({ feed, key, bytes: operation.value, lease, revision });
  }
}

/** What callers get to know. */
export const written = ({ revision, visible }: AppliedWrite): WriteResult => ({ revision, visible });

/** @throws InvalidConfigError when a reader would refuse the value */
export async function plannedPut(
  feed: DefinitionFeed,
  key: string,
  value: unknown,
  expected: number | undefined,
): Promise<KeyWrite> {
  const serialized = await feed.serializer.serialize(value);
  if (!serialized.ok) throw new InvalidConfigError(`the value for "${key}"`, serialized.violations, { key });
  return { feed, key, operation: { type: 'put', rawKey: rawKeyOf(key), value: serialized.bytes }, expected };
}

export const plannedDelete = (feed: DefinitionFeed, key: string, expected: number | undefined): KeyWrite => ({
  feed,
  key,
  operation: { type: 'delete', rawKey: rawKeyOf(key) },
  expected,
});

/** @throws InvalidOptionsError for conditions that cannot hold */
export function expectedRevision(
  what: string,
  key: string,
  { ifRevision, ifAbsent }: Pick<PutOptions, 'ifRevision' | 'ifAbsent'>,
): number | undefined {
  if (ifRevision !== undefined && ifAbsent) {
    throw new InvalidOptionsError(`${what}: ifRevision and ifAbsent exclude each other`, { key });
  }
  if (ifAbsent) return 0;
  if (ifRevision !== undefined) checkInteger(`${what}: ifRevision`, ifRevision, { min: 1, key });
  return ifRevision;
}

const conditionOf = ({ operation: { rawKey }, expected = 0 }: KeyWrite): Condition => ({ rawKey, revision: expected });

/** The first key that is not as expected. */
async function conflictOf(
  conditional: readonly KeyWrite[],
  found: readonly (KeyRecord | undefined)[],
): Promise<WriteAttempt & { readonly applied: false }> {
  const isAsExpected = ({ expected }: KeyWrite, index: number): boolean => (found[index]?.revision ?? 0) === expected;
  const index = conditional.findIndex((write, at) => !isAsExpected(write, at));
  const { feed, key, expected } = conditional[index] as KeyWrite;
  const current = found[index];
  const parsed = current && (await feed.parser.parse(current.value));
  const value = parsed?.ok ? parsed.value : undefined;
  const demanded = expected ? `at revision ${expected}` : 'absent';
  const conflict = new RevisionConflictError(key, demanded, current?.revision ?? 0, () => value);
  return { applied: false, conflict, current };
}
