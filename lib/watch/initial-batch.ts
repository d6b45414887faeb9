import { type ChangeBatch, ChangeEvent } from './change-event.js';
import { byId, type KeyRecord } from './key-record.js';

/** Everything that is known of a range, keys in byte order. Events are made when they are read: who has parsed the records already needs none. */
export class InitialBatch implements ChangeBatch {
  readonly origin = 'initial';
  readonly records: readonly KeyRecord[];
  #events: readonly ChangeEvent[] | undefined;

  constructor(
    readonly revision: number,
    records: Iterable<KeyRecord>,
  ) {
    const all = [...records];
    // As a list left them, they are in order: looking takes a fifth of the time of sorting.
    this.records = isInOrder(all) ? all : all.sort(byId);
  }

  get events(): readonly ChangeEvent[] {
    return (this.#events ??= this.records.map((record) => new ChangeEvent(record, undefined, 'initial')));
  }
}

const isInOrder = (records: readonly KeyRecord[]): boolean =>
  records.every(({ id }, index) => index === 0 || (records[index - 1]?.id ?? '') < id);
