import type { Operation } from '../../backend/key-value-store.js';
import type { GroupItem, ItemFailure } from './group-item.js';
import { parkedName, parkedRecordOf, serializeParked } from './parked-record.js';

export interface ParkOperationsOptions {
  /** Raw prefix of the parked events. */
  readonly prefix: string;
  readonly mayStoreValue: boolean;
  /** When the events are parked, in milliseconds since 1970. */
  readonly at: number;
}

/** Returns the operations that keep the events of a failed item, one for each event of a batch. */
export function parkOperations(
  { subject, changes, parked }: GroupItem,
  failure: ItemFailure,
  { prefix, mayStoreValue, at }: ParkOperationsOptions,
): readonly Operation[] {
  if (parked) {
    const { rawKey, record } = parked;
    const attempts = record.attempts + failure.attempts;
    const value = serializeParked({ ...record, ...failure, attempts, redrive: undefined });
    return [{ type: 'put', rawKey, value }];
  }
  const events = new Set('events' in subject ? subject.events : [subject]);
  return changes.flatMap((event) =>
    events.has(event)
      ? {
          type: 'put',
          rawKey: prefix + parkedName(event),
          value: serializeParked(parkedRecordOf(event, failure, { mayStoreValue, at })),
        }
      : [],
  );
}
