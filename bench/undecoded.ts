import type { startSample } from './contender.js';
import { eventsIn } from './recording.js';
import { bytesField, numberField } from './wire.js';

/** For a replay, the number of `messages` is known; otherwise events are counted by their boundaries. */
export interface BytesOptions {
  readonly hosts: readonly string[];
  readonly events: number;
  readonly messages?: number;
  readonly fromRevision?: number;
}

/** Returns a function that receives each message and finishes the sample with the last one. */
export function countMessages(
  { events, messages }: BytesOptions,
  finish: ReturnType<typeof startSample>,
): (message: Buffer) => void {
  let seen = 0;
  // The first message of a replay is the created response.
  const last = messages === undefined ? events : messages + 1;
  return (message) => {
    seen += messages === undefined ? eventsIn(message) : 1;
    if (seen === last) finish(events);
  };
}

/** etcdserverpb.WatchRequest: create_request with key, range_end and start_revision. */
export function watchRequest({ fromRevision }: Pick<BytesOptions, 'fromRevision'>): Buffer {
  const range = [bytesField(1, Buffer.from('/b/')), bytesField(2, Buffer.from('/b0'))];
  const start = fromRevision === undefined ? [] : [numberField(3, fromRevision)];
  return bytesField(1, Buffer.concat([...range, ...start]));
}
