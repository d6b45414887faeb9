import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore, Operation } from '../../backend/key-value-store.js';
import { WriteError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { AuditedWrite, AuditTrail } from '../audit/audit-trail.js';
import type { WriteNote } from '../audit/write-note.js';
import { originOf } from './write-options.js';

/** The format and limits by which the audit trail reads the documents of a key, to list the changed properties. */
export type ReadAs = Pick<AuditedWrite, 'format' | 'limits'>;

/** Writes bytes without a validation, and records them in the audit trail. */
export class RawWriter {
  readonly #keyValue: KeyValueStore;
  readonly #audit: AuditTrail | undefined;

  constructor(keyValue: KeyValueStore, audit: AuditTrail | undefined) {
    this.#keyValue = keyValue;
    this.#audit = audit;
  }

  /**
   * Writes a key whatever its state is.
   * @throws InvalidOptionsError for an invalid author or reason
   */
  async put(key: string, value: Buffer, readAs: ReadAs, note: WriteNote): Promise<{ readonly revision: number }> {
    const what = `put ${quoted(key)}`;
    const origin = originOf(what, key, note);
    const rawKey = rawKeyOf(key);
    const operations: Operation[] = [{ type: 'put', rawKey, value }];
    if (this.#audit) {
      const { record } = await this.#keyValue.get(rawKey);
      const replaced = { fromRevision: record?.revision ?? 0, before: record?.value };
      const write: AuditedWrite = { key, action: 'put', ...replaced, after: value, ...readAs };
      operations.push(...(await this.#audit.recordsOf(what, [write], origin)).operations);
    }
    const result = await this.#keyValue.commit({ what, key, conditions: [], operations });
    if (result.applied) return { revision: result.revision };
    throw new WriteError(`${what} was not applied`, { key });
  }
}
