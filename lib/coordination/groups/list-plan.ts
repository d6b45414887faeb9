import { byRawKey, type KeyRecord } from '../../backend/key-record.js';
import { ChangeEvent } from '../../watch/stream/change-event.js';
import { type CursorProgress, isHandled, keyPosition } from './group-cursor.js';
import type { RememberedKey } from './remembered-keys.js';

/** The list at the revision of a phase. */
export interface PhaseList {
  readonly revision: number;
  readonly records: readonly KeyRecord[];
  /** Names of keys of the partition. `undefined`: not remembered. */
  readonly remembered: readonly RememberedKey[] | undefined;
}

/**
 * Returns the events of a phase that are not handled yet, in key order: the keys of the list, and the remembered keys
 * that it lacks as deletions. `includes`: true for keys of the partition.
 */
export function phaseEvents(
  progress: CursorProgress,
  { revision, records, remembered = [] }: PhaseList,
  includes: (rawKey: string) => boolean,
): ChangeEvent[] {
  const origin = progress.phase === 'initial' ? 'initial' : 'resync';
  const written = records
    .filter((record) => includes(record.rawKey) && !isHandled(progress, record.revision, record.rawKey))
    .map((record) => new ChangeEvent(record, undefined, origin));
  const listed = new Set(remembered.length === 0 ? [] : records.map(({ rawKey }) => rawKey));
  const { after = '', done } = progress;
  const deleted = remembered
    .filter(({ rawKey }) => !listed.has(rawKey) && rawKey > after && !done.includes(keyPosition(rawKey)))
    // The deletion may have been handled before its name was deleted.
    .filter(({ rawKey, deletedAt }) => deletedAt === undefined || !isHandled(progress, deletedAt, rawKey))
    .map(({ rawKey }) => new ChangeEvent({ rawKey, value: undefined, revision }, undefined, origin));
  return deleted.length === 0 ? written : [...written, ...deleted].sort(byRawKey);
}
