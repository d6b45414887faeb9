import type { ChangeEvent } from '../../watch/stream/change-event.js';
import { keyPosition, positionOf } from './group-cursor.js';
import type { Place } from './partition-progress.js';

/** An event of a partition with its place among all events of the target. */
export class PlacedEvent implements Place {
  readonly event: ChangeEvent;
  /** Its index among the events of its revision, and their number; 0 of 0 for a key of a phase. */
  readonly index: number;
  readonly count: number;

  constructor(event: ChangeEvent, index = 0, count = 0) {
    this.event = event;
    this.index = index;
    this.count = count;
  }

  /** Made when it is read: most positions are never stored. */
  get position(): string {
    const { event, index, count } = this;
    return count === 0 ? keyPosition(event.rawKey) : positionOf(event.revision, index, count, event.rawKey);
  }
}
