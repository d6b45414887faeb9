import { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { describeThrown, isA, messageOf } from '../../foreign/foreign-error.js';

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

/**
 * Describes an error of application code for a log line. Messages of this library contain no values, others may. Never
 * throws.
 */
export function describeFailure(error: unknown): string {
  if (isA(error, FinalFailure)) return error.message;
  return isA(error, EtcdTriggerError) ? `${describeThrown(error)}: ${messageOf(error)}` : describeThrown(error);
}
