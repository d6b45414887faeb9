import {
  InvalidConfigError,
  InvalidOptionsError,
  RevisionConflictError,
  UnknownOutcomeError,
} from '../../etcd-trigger.errors.js';
import { checkInteger, checkKnown, type OptionNames } from '../../option-checks.js';
import { type Fence, fenceLost, type FenceRegistry, fencesOf } from '../../backend/fence.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import {
  type Condition,
  isMet,
  type KeyValueStore,
  type Operation,
  type TransactionResult,
} from '../../backend/key-value-store.js';
import { type Lease, LeaseNotFoundError } from '../../backend/lease-store.js';
import type { AuditAction } from '../audit/audit-record.js';
import type { AuditedWrite, AuditOrigin, AuditTrail } from '../audit/audit-trail.js';
import { noteOf, WRITE_NOTE, type WriteNote } from '../audit/write-note.js';
import type { ConfigLeases, LeaseOptions } from './config-leases.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { SerializeResult } from '../../dto/dto-serializer.js';
import type { WrittenForm } from '../../dto/plain-document.js';
import { checkNoLayer } from './layer-options.js';
import { quoted } from '../../foreign/foreign-text.js';

/** A write waits at most this long until readers of this process see it. */
const VISIBLE_LIMIT_MS = 5_000;

/** Conditions and lease of a `StoreService.put`. */
export interface PutOptions extends WriteNote {
  /** Write only if the key was last written at this revision. */
  readonly ifRevision?: number | undefined;
  /** Write only if the key is absent. */
  readonly ifAbsent?: boolean | undefined;
  /**
   * Attaches the key to a lease, which is kept alive until any client writes or deletes the key, or the module closes.
   * @default none: the key does not expire
   */
  readonly lease?: LeaseOptions | undefined;
  /** Write only if this instance still owns what the fence stands for. */
  readonly fence?: Fence | undefined;
  /**
   * For a definition with layers: the layer to write. `ifRevision` and `ifAbsent` apply to it.
   * @default the key, if it is one of the layers
   */
  readonly layer?: string | undefined;
}

/** Condition of a `StoreService.delete`. */
export interface DeleteOptions extends WriteNote {
  /** Delete only if the key was last written at this revision. */
  readonly ifRevision?: number | undefined;
  /** Delete only if this instance still owns what the fence stands for. */
  readonly fence?: Fence | undefined;
  /**
   * For a definition with layers: the layer to delete. `ifRevision` applies to it.
   * @default the key, if it is one of the layers
   */
  readonly layer?: string | undefined;
}

/** The parts that all operations of a write share. */
export interface WriteRequest {
  /** For messages, for example `put "/app/a"`. */
  readonly what: string;
  readonly writes: readonly KeyWrite[];
  readonly fences?: readonly Fence[];
  /** Attached to all puts. */
  readonly lease?: Lease | undefined;
  /** Keys that are not written, and must still be at this revision; 0: absent. */
  readonly guards?: readonly { readonly key: string; readonly revision: number }[];
  /** For the audit trail. */
  readonly origin?: AuditOrigin | undefined;
  /**
   * For the audit trail.
   * @default the type of each operation
   */
  readonly action?: AuditAction | undefined;
}

/** A write that was applied. */
export interface WriteResult {
  /** Revision at which the write was applied. */
  readonly revision: number;
  /** True if readers of this process see the write; if false, they will see it later. */
  readonly visible: boolean;
}

export const DELETE_OPTIONS: OptionNames<DeleteOptions> = { ifRevision: true, fence: true, layer: true, ...WRITE_NOTE };
export const PUT_OPTIONS: OptionNames<PutOptions> = { ...DELETE_OPTIONS, ifAbsent: true, lease: true };

/** One validated operation of a write. */
export interface KeyWrite {
  readonly feed: DefinitionFeed;
  readonly key: string;
  readonly operation: Operation;
  /** Revision that the key must have; 0: the key must be absent; `undefined`: no condition. */
  readonly expected: number | undefined;
  /**
   * Other feeds that show the key.
   * @default none
   */
  readonly shownBy?: readonly DefinitionFeed[];
  /**
   * The document that the write replaces, where it was read for the write.
   * @default the last one that the feed has seen
   */
  readonly before?: ReplacedDocument | undefined;
}

/** A document in etcd. */
interface ReplacedDocument {
  /** 0: the key is absent. */
  readonly revision: number;
  /** `undefined`: absent or unknown. */
  readonly bytes: Buffer | undefined;
}

export type AppliedWrite = WriteResult & { readonly applied: true; readonly deleted: readonly string[] };

/**
 * A write that was applied, or that conflicts with `current`, the record of the first key with an unexpected revision.
 */
export type WriteAttempt =
  | AppliedWrite
  | { readonly applied: false; readonly conflict: RevisionConflictError; readonly current: KeyRecord | undefined };

/** A write that has not been sent. */
export interface PreparedWrite {
  readonly key: string | undefined;
  readonly conditions: readonly Condition[];
  readonly operations: readonly Operation[];
  /**
   * Interprets the result of the transaction, whose first conditions are those of the write. Resolves when readers of
   * this process see the write.
   * @throws FenceLostError
   */
  readonly outcome: (result: TransactionResult) => Promise<WriteAttempt>;
  /**
   * Returns the same write with another lease of the audit trail, after etcd has refused the former one. Rejects with
   * any other error.
   */
  readonly renewed: (error: unknown) => Promise<PreparedWrite>;
}

/** Validates a value, writes it once, and waits until readers of this process see it. */
export class ConfigWriter {
  readonly #keyValue: KeyValueStore;
  readonly #leases: ConfigLeases;
  readonly #fences: FenceRegistry;
  readonly #audit: AuditTrail | undefined;

  constructor(keyValue: KeyValueStore, leases: ConfigLeases, fences: FenceRegistry, audit: AuditTrail | undefined) {
    this.#keyValue = keyValue;
    this.#leases = leases;
    this.#fences = fences;
    this.#audit = audit;
  }

  async put(feed: DefinitionFeed, key: string, content: PutContent, options: PutOptions): Promise<WriteResult> {
    const what = `put ${quoted(key)}`;
    checkKnown(options, PUT_OPTIONS, { owner: ` of ${what}` });
    if (options.lease) checkKnown(options.lease, { ttlSeconds: true }, { path: 'lease.', owner: ` of ${what}` });
    checkNoLayer(what, feed, options);
    const write = await plannedPut(feed, key, content, expectedRevision(what, key, options));
    const request = {
      what,
      writes: [write],
      fences: fencesOf(what, options, key),
      origin: originOf(what, key, options),
    };
    if (!options.lease) return written(await this.apply(request));
    return this.withLease(key, options.lease, (lease) => this.apply({ ...request, lease }));
  }

  async delete(
    feed: DefinitionFeed,
    key: string,
    options: DeleteOptions,
  ): Promise<WriteResult & { readonly deleted: boolean }> {
    const what = `delete ${quoted(key)}`;
    checkKnown(options, DELETE_OPTIONS, { owner: ` of ${what}` });
    checkNoLayer(what, feed, options);
    const write = plannedDelete(feed, key, expectedRevision(what, key, options));
    const { revision, visible, deleted } = await this.apply({
      what,
      writes: [write],
      fences: fencesOf(what, options, key),
      origin: originOf(what, key, options),
    });
    return { revision, deleted: deleted.length > 0, visible };
  }

  /** Reads the last write of a key (linearizable); `undefined` if the key is absent. */
  async read(key: string): Promise<KeyRecord | undefined> {
    const { record } = await this.#keyValue.get(rawKeyOf(key));
    return record;
  }

  /**
   * Applies all writes or none, and returns a conflict of revisions instead of throwing it.
   * @throws FenceLostError, InvalidOptionsError for a fence of another cluster
   */
  async attempt(request: WriteRequest): Promise<WriteAttempt> {
    const commit = ({ conditions, operations, key }: PreparedWrite): Promise<TransactionResult> =>
      this.#keyValue.commit({ what: request.what, key, conditions, operations });
    const write = await this.prepare(request);
    const result = await commit(write).catch(async (error: unknown) => commit(await write.renewed(error)));
    return write.outcome(result);
  }

  /**
   * Prepares a write that the caller sends, perhaps with further conditions and operations after its own ones.
   * @throws InvalidOptionsError for a fence of another cluster
   * @throws WriteError for more writes than etcd takes with their records of the audit trail
   */
  async prepare(request: WriteRequest): Promise<PreparedWrite> {
    const { what, writes, fences = [], lease, guards = [], origin } = request;
    const [only] = writes;
    const key = writes.length === 1 ? only?.key : undefined;
    const fenced = fences.map((fence) => this.#fences.conditionOf(what, fence));
    const conditional = writes.filter(({ expected }) => expected !== undefined);
    const conditions = [...conditional.map(conditionOf), ...fenced, ...guards.map(guardOf)];
    const records = await this.#audit?.recordsOf(
      what,
      writes.map((write) => auditedWrite(write, request.action)),
      origin,
    );
    return {
      key,
      conditions,
      operations: [
        ...writes.map(({ operation }) => (operation.type === 'put' ? { ...operation, lease: lease?.id } : operation)),
        ...(records?.operations ?? []),
      ],
      renewed: async (error) => {
        if (!records || !(error instanceof LeaseNotFoundError)) throw error;
        await records.forgetLease();
        return this.prepare(request);
      },
      outcome: async (result) => {
        if (result.applied) return this.#applied(writes, lease, result);
        const current = result.current.slice(0, conditions.length);
        const records = current.slice(conditional.length);
        const lost = fences[fenced.findIndex((condition, index) => !isMet(condition, records[index]))];
        if (lost) throw fenceLost(what, lost, key);
        return conflictOf(conditional, current, guards);
      },
    };
  }

  async #applied(
    writes: readonly KeyWrite[],
    lease: Lease | undefined,
    { revision, deleted }: TransactionResult & { readonly applied: true },
  ): Promise<AppliedWrite> {
    for (const write of writes) this.#noteLease(write, lease, revision);
    // Deleting an absent key causes no change that readers could see.
    const effective = writes.filter(({ operation: { type, rawKey } }) => type === 'put' || deleted.includes(rawKey));
    const feeds = new Set(effective.flatMap(({ feed, shownBy = [] }) => [feed, ...shownBy]));
    const visible = await Promise.all([...feeds].map((feed) => feed.whenVisible(revision, VISIBLE_LIMIT_MS)));
    return { applied: true, revision, deleted, visible: !visible.includes(false) };
  }

  /** @throws RevisionConflictError, and the errors of `attempt` */
  async apply(request: WriteRequest): Promise<AppliedWrite> {
    const result = await this.attempt(request);
    if (!result.applied) throw result.conflict;
    return result;
  }

  /** Grants a lease for a put of the key. */
  async withLease(
    key: string,
    options: LeaseOptions,
    put: (lease: Lease) => Promise<AppliedWrite>,
  ): Promise<WriteResult> {
    const lease = await this.#leases.grant(key, options);
    try {
      return written(await put(lease));
    } catch (error) {
      // A write that may have been applied expires with its lease, unless the application repeats it.
      if (!(error instanceof UnknownOutcomeError)) this.#leases.discard(lease);
      throw error;
    }
  }

  #noteLease({ feed, key, operation }: KeyWrite, lease: Lease | undefined, revision: number): void {
    this.#leases.release(key, revision);
    if (lease && operation.type === 'put') this.#leases.add({ feed, key, bytes: operation.value, lease, revision });
  }
}

function auditedWrite({ feed, key, operation, expected, before }: KeyWrite, action?: AuditAction): AuditedWrite {
  const { cache } = feed;
  const seen = before ?? { revision: feed.headRevision(key), bytes: cache.headBytes(key) };
  return {
    key,
    action: action ?? operation.type,
    fromRevision: expected ?? seen.revision,
    before: expected === undefined || expected === seen.revision ? seen.bytes : undefined,
    after: operation.type === 'put' ? operation.value : undefined,
    format: feed.format,
    limits: feed.parser.limits,
  };
}

/** @throws InvalidOptionsError for an invalid author or reason */
export const originOf = (what: string, key: string, options: WriteNote): AuditOrigin => ({
  note: noteOf(what, options, key),
});

/** Returns the public part of a result. */
export const written = ({ revision, visible }: AppliedWrite): WriteResult => ({ revision, visible });

/** @throws InvalidConfigError if readers would reject the value */
export async function plannedPut(
  feed: DefinitionFeed,
  key: string,
  content: PutContent,
  expected: number | undefined,
): Promise<KeyWrite> {
  const serialized = await serialize(feed, key, content);
  if (!serialized.ok) throw new InvalidConfigError(`the value for ${quoted(key)}`, serialized.violations, { key });
  return { feed, key, operation: { type: 'put', rawKey: rawKeyOf(key), value: serialized.bytes }, expected };
}

/** A value that replaces the document of its key, or is laid over the document `head`. */
export type PutContent =
  { readonly value: unknown; readonly form: WrittenForm } | { readonly value: unknown; readonly head: Buffer };

function serialize(
  { serializer, cache }: DefinitionFeed,
  key: string,
  content: PutContent,
): SerializeResult<object> | Promise<SerializeResult<object>> {
  return 'head' in content
    ? serializer.serializeOver(content.value, content.head)
    : serializer.serialize(content.value, content.form, cache.headBytes(key));
}

export const plannedDelete = (feed: DefinitionFeed, key: string, expected: number | undefined): KeyWrite => ({
  feed,
  key,
  operation: { type: 'delete', rawKey: rawKeyOf(key) },
  expected,
});

/** @throws InvalidOptionsError for invalid conditions */
export function expectedRevision(
  what: string,
  key: string,
  { ifRevision, ifAbsent }: Pick<PutOptions, 'ifRevision' | 'ifAbsent'>,
): number | undefined {
  if (ifRevision !== undefined && ifAbsent) {
    throw new InvalidOptionsError(`${what}: use either ifRevision or ifAbsent`, { key });
  }
  if (ifAbsent) return 0;
  if (ifRevision !== undefined) checkInteger(`${what}: ifRevision`, ifRevision, { min: 1, key });
  return ifRevision;
}

const guardOf = ({ key, revision }: { readonly key: string; readonly revision: number }): Condition => ({
  rawKey: rawKeyOf(key),
  revision,
});

const conditionOf = ({ operation: { rawKey }, expected = 0 }: KeyWrite): Condition => ({ rawKey, revision: expected });

/** Describes the first key with an unexpected revision. */
async function conflictOf(
  conditional: readonly KeyWrite[],
  records: readonly (KeyRecord | undefined)[],
  guards: NonNullable<WriteRequest['guards']>,
): Promise<WriteAttempt & { readonly applied: false }> {
  const isAsExpected = ({ expected }: KeyWrite, index: number): boolean => (records[index]?.revision ?? 0) === expected;
  const index = conditional.findIndex((write, at) => !isAsExpected(write, at));
  const failed = conditional[index];
  if (!failed) return guardConflict(guards, records.slice(-guards.length));
  const { feed, key, expected } = failed;
  const current = records[index];
  const parsed = current && (await feed.parseValue(key, current.value));
  const value = parsed?.ok ? parsed.value : undefined;
  const demanded = expected ? `at revision ${expected}` : 'absent';
  const conflict = new RevisionConflictError(key, demanded, current?.revision ?? 0, () => value, feed.definition.type);
  return { applied: false, conflict, current };
}

/** Describes the first key that is not at the revision of its guard. */
function guardConflict(
  guards: NonNullable<WriteRequest['guards']>,
  records: readonly (KeyRecord | undefined)[],
): WriteAttempt & { readonly applied: false } {
  const index = guards.findIndex(({ revision }, at) => (records[at]?.revision ?? 0) !== revision);
  const { key = '', revision = 0 } = guards[index] ?? {};
  const current = records[index];
  const demanded = revision ? `at revision ${revision}` : 'absent';
  const conflict = new RevisionConflictError(key, demanded, current?.revision ?? 0, () => undefined, undefined);
  return { applied: false, conflict, current };
}
