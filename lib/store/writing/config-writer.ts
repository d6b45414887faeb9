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
import { UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { checkKnown } from '../../option-checks.js';
import type { AuditAction } from '../audit/audit-record.js';
import type { AuditOrigin, AuditTrail } from '../audit/audit-trail.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { ConfigLeases, LeaseOptions } from './config-leases.js';
import { auditedWrite, conditionOf, type KeyWrite, plannedDelete, plannedPut, type PutContent } from './key-write.js';
import { checkNoLayer } from './layer-options.js';
import { conflictOf, type Guard, guardOf, type WriteConflict } from './write-conflict.js';
import {
  DELETE_OPTIONS,
  type DeleteOptions,
  expectedRevision,
  originOf,
  PUT_OPTIONS,
  type PutOptions,
} from './write-options.js';

/** A write waits at most this long until readers of this process see it. */
const VISIBLE_LIMIT_MS = 5_000;

/** The parts that all operations of a write share. */
export interface WriteRequest {
  /** For messages, for example `put "/app/a"`. */
  readonly what: string;
  readonly writes: readonly KeyWrite[];
  readonly fences?: readonly Fence[];
  /** Attached to all puts. */
  readonly lease?: Lease | undefined;
  readonly guards?: readonly Guard[];
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

export type AppliedWrite = WriteResult & { readonly applied: true; readonly deleted: readonly string[] };

export type WriteAttempt = AppliedWrite | WriteConflict;

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

/** Returns the public part of a result. */
export const written = ({ revision, visible }: AppliedWrite): WriteResult => ({ revision, visible });
