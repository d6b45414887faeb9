import type { Deliverable } from '../../watch/delivery/deliverable.js';
import type { ChangeEvent } from '../../watch/stream/change-event.js';
import type { ParkedRecord } from './parked-record.js';
import { ProgressEntry } from './partition-progress.js';
import type { PlacedEvent } from './placed-event.js';

export interface GroupItemOptions {
  readonly subject: Deliverable;
  /** The events of the subject, and those that only change which keys are remembered. */
  readonly placed: readonly PlacedEvent[];
  /** When it was received, by `performance.now()`. */
  readonly at: number;
  readonly redelivered: boolean;
  /** True if the handler is not called, because it does not want the events. */
  readonly isSilent?: boolean;
  /** Set for an event that was parked and is handled again. */
  readonly parked?: ParkedSource;
  /** Called once after the last call. */
  readonly onEnd?: () => void;
  /** Set instead of a call that is not made. */
  readonly failure?: ItemFailure | undefined;
}

/** An event or a batch on its way to the handler. */
export class GroupItem extends ProgressEntry<PlacedEvent> {
  readonly subject: Deliverable;
  readonly redelivered: boolean;
  readonly isSilent: boolean;
  readonly parked: ParkedSource | undefined;
  readonly onEnd: (() => void) | undefined;
  /** Set when the last attempt has failed, or instead of a call that is not made. */
  failure: ItemFailure | undefined;
  /** True when the handler is done with it, one way or the other. Then the progress counts it as finished. */
  isHandled = false;
  /** True if the cursor that is stored says that it is finished. */
  isStored = false;

  constructor({ subject, placed, at, redelivered, isSilent = false, parked, onEnd, failure }: GroupItemOptions) {
    const last = placed.at(-1);
    super(placed, subject.revision, last?.count === 0 ? last.event.rawKey : undefined, at);
    this.subject = subject;
    this.redelivered = redelivered;
    this.isSilent = isSilent;
    this.parked = parked;
    this.onEnd = onEnd;
    this.failure = failure;
  }

  /** The events of the places. */
  get changes(): readonly ChangeEvent[] {
    return this.places.map(({ event }) => event);
  }
}

/** The key of a parked event and its content. */
export interface ParkedSource {
  readonly rawKey: string;
  readonly record: ParkedRecord;
}

export interface ItemFailure {
  readonly attempts: number;
  /** Name of the error's class. */
  readonly error: string;
}
