import type { Fence } from '../../backend/fence.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger, type OptionNames } from '../../option-checks.js';
import type { AuditOrigin } from '../audit/audit-trail.js';
import { noteOf, WRITE_NOTE, type WriteNote } from '../audit/write-note.js';
import type { LeaseOptions } from './config-leases.js';

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

export const DELETE_OPTIONS: OptionNames<DeleteOptions> = { ifRevision: true, fence: true, layer: true, ...WRITE_NOTE };
export const PUT_OPTIONS: OptionNames<PutOptions> = { ...DELETE_OPTIONS, ifAbsent: true, lease: true };

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

/** @throws InvalidOptionsError for an invalid author or reason */
export const originOf = (what: string, key: string, options: WriteNote): AuditOrigin => ({
  note: noteOf(what, options, key),
});
