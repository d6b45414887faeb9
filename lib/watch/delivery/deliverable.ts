import { counted } from '../../counted.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import type { WatchFailure } from '../watch-event.js';

/** The argument of one handler call: an event, or a batch. */
export type Deliverable = ChangeEvent | ChangeBatch;

/** Names an item in a message, without values. */
export const subjectOf = (item: Deliverable): string =>
  `${isEvent(item) ? `key ${quoted(item.key)}` : counted(item.events.length, 'event')} at revision ${item.revision}`;

/** The events of an item, as a failure reports them. */
export const contentsOf = (item: Deliverable): Pick<WatchFailure, 'event' | 'batch'> =>
  isEvent(item) ? { event: item, batch: undefined } : { event: item.events[0] as ChangeEvent, batch: item };

const isEvent = (item: Deliverable): item is ChangeEvent => 'key' in item;
