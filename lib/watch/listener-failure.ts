import type { InstanceLog } from './instance-log.js';
import type { ResyncNotice } from './watch-event.js';

/** What can be said of an error thrown by an application's code: its class and where it was thrown. Its message may quote a value. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} that is no Error`;
  const frame = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return `${error.constructor.name}${frame ? ` ${frame.trim()}` : ''}`;
}

/** Calls `onResync`; what it throws is logged and harms nobody. */
export function announceResync(
  notice: ResyncNotice,
  listener: {
    readonly name: string;
    readonly log: InstanceLog;
    readonly onResync: ((notice: ResyncNotice) => void) | undefined;
  },
): void {
  try {
    listener.onResync?.(notice);
  } catch (error) {
    listener.log.error(`onResync of ${listener.name} threw ${describeFailure(error)}`);
  }
}
