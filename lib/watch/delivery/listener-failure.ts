import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeThrown, isA } from '../../foreign/foreign-error.js';
import { type ResyncNotice, type WatchFailure } from '../watch-event.js';

/**
 * A failure that a retry cannot heal, for example a denied event or an invalid payload. The message contains no values.
 */
export class FinalFailure extends Error {
  constructor(
    /** The error that `WatchFailure.error` reports. */
    readonly error: unknown,
    message: string,
  ) {
    super(message);
  }
}

/** Describes an error of application code for a log line. Never throws. */
export const describeFailure = (error: unknown): string =>
  isA(error, FinalFailure) ? error.message : describeThrown(error);

/** Calls `onResync` and logs its errors. Resolves when the callback has ended. */
export function announceResync(
  notice: ResyncNotice,
  listener: {
    readonly name: string;
    readonly log: InstanceLog;
    readonly onResync: ((notice: ResyncNotice) => unknown) | undefined;
  },
): Promise<void> {
  return announce(listener.onResync, notice, `onResync of ${listener.name}`, listener.log);
}

/** Calls `onError` and logs its errors. Resolves when the callback has ended. */
export function announceFailure(
  failure: WatchFailure,
  listener: { readonly log: InstanceLog; readonly onError: ((failure: WatchFailure) => unknown) | undefined },
): Promise<void> {
  return announce(listener.onError, failure, `onError of ${failure.handler}`, listener.log);
}

/** Calls the callback synchronously. */
async function announce<Announcement>(
  callback: ((announcement: Announcement) => unknown) | undefined,
  announcement: Announcement,
  name: string,
  log: InstanceLog,
): Promise<void> {
  try {
    await callback?.(announcement);
  } catch (error) {
    log.error(`${name} failed: ${describeFailure(error)}`);
  }
}
