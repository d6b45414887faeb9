import { randomUUID } from 'node:crypto';
import { rawKeyOf } from '../../backend/key-record.js';
import type { Operation } from '../../backend/key-value-store.js';
import { changedPaths } from '../../dto/document-diff.js';
import type { DocumentLimits } from '../../dto/document-limits.js';
import type { DocumentFormat } from '../../dto/formats/document-format.js';
import { readDocument } from '../../dto/formats/document-reader.js';
import { WriteError } from '../../etcd-trigger.errors.js';
import type { AuditLease } from './audit-lease.js';
import { type AuditAction, type AuditContent, limitedPaths, serializeRecord } from './audit-record.js';
import { CHANGED_PATHS, type RecordedNote } from './write-note.js';

/** A write of one key. */
export interface AuditedWrite {
  readonly key: string;
  readonly action: AuditAction;
  /** Revision of the replaced document; 0: absent. */
  readonly fromRevision: number;
  /** The replaced document; `undefined` if it is absent or unknown. */
  readonly before: Buffer | undefined;
  /** `undefined`: the key is deleted. */
  readonly after: Buffer | undefined;
  readonly format: DocumentFormat;
  readonly limits: DocumentLimits;
}

/** The author of a write, and its reason. */
export interface AuditOrigin {
  readonly note?: RecordedNote | undefined;
  /** The handler group whose `commit()` writes. */
  readonly group?: string | undefined;
}

export interface AuditTrailOptions {
  /** With a trailing slash. */
  readonly prefix: string;
  readonly lease: AuditLease;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The largest number of operations of a transaction. */
  readonly transactionOperations: number;
  readonly instance: AuditContent['instance'];
}

/** The records of a write: operations that belong into its transaction. */
export interface AuditRecords {
  readonly operations: readonly Operation[];
  /** Discards the lease of the records, which etcd does not know. */
  readonly forgetLease: () => Promise<void>;
}

/**
 * Creates the records of writes, one for each key, at `prefix/<key>/<uuid>`. A key of records is used once, so a record
 * that exists proves that its transaction was applied.
 */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #rawPrefix: string;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#rawPrefix = rawKeyOf(options.prefix);
  }

  /**
   * Creates the records of the writes of one transaction.
   * @throws WriteError if the transaction would exceed the limit of etcd
   * @throws ConnectionError, ConnectionTimeoutError if a lease is needed and etcd does not answer; nothing was written
   */
  async recordsOf(what: string, writes: readonly AuditedWrite[], origin: AuditOrigin = {}): Promise<AuditRecords> {
    if (writes.length === 0) return NO_RECORDS;
    this.#checkCount(what, writes.length);
    const changes = await Promise.all(writes.map(changesOf));
    const { lease, now, instance } = this.#options;
    const id = await lease.current();
    const time = new Date(now());
    const { note: { author, reason, [CHANGED_PATHS]: given } = {}, group } = origin;
    const operations = writes.map(({ key, action, fromRevision }, index): Operation => {
      const paths = limitedPaths(given?.get(key) ?? changes[index]);
      const value = serializeRecord({
        time,
        action,
        ...(author !== undefined && { author }),
        ...(reason !== undefined && { reason }),
        ...(group !== undefined && { group }),
        instance,
        fromRevision,
        ...paths,
      });
      return { type: 'put', rawKey: `${this.#rawPrefix}${rawKeyOf(key)}/${randomUUID()}`, value, lease: id };
    });
    return { operations, forgetLease: () => lease.forget(id) };
  }

  /** A transaction may also contain the marker of its outcome, or the cursor of a handler group. */
  #checkCount(what: string, count: number): void {
    const { transactionOperations } = this.#options;
    const max = Math.floor((transactionOperations - 1) / 2);
    if (count <= max) return;
    throw new WriteError(
      `${what}: ${count} writes, with "audit" a transaction takes at most ${max} (half of limits.transactionOperations, ${transactionOperations}); nothing was sent`,
    );
  }
}

const NO_RECORDS: AuditRecords = { operations: [], forgetLease: () => Promise.resolve() };

/** Returns the paths of the differences; `undefined` if a document is unknown or cannot be read. */
async function changesOf(write: AuditedWrite): Promise<readonly string[] | undefined> {
  const { fromRevision, before, after, format, limits } = write;
  if (after === undefined || fromRevision === 0) return WHOLE;
  if (before === undefined) return undefined;
  const [old, next] = await Promise.all([readDocument(before, format, limits), readDocument(after, format, limits)]);
  return old.ok && next.ok ? changedPaths(old.value, next.value) : undefined;
}

/** The document itself. */
const WHOLE: readonly string[] = [''];
