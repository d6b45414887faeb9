import { describeThrown, isA } from '../../foreign/foreign-error.js';

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
