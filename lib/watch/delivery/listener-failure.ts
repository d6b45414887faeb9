import type { InstanceLog } from '../../etcd-trigger.log.js';
import { type ResyncNotice, type WatchFailure } from '../watch-event.js';

/** Thrown by what surrounds a handler (a guard, a parser): no later attempt would end otherwise, so there is none. The message holds no value. */
export class FinalFailure extends Error {
  constructor(
    /** What the event is given up with. */
    readonly error: unknown,
    message: string,
  ) {
    super(message);
  }
}

/** What can be said of an error thrown by an application's code: its class and where it was thrown. Its message may quote a value. */
export function describeFailure(error: unknown): string {
  if (error instanceof FinalFailure) return error.message;
  if (!(error instanceof Error)) return `a ${typeof error} that is no Error`;
  const frame = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return `${error.constructor.name}${frame ? ` ${frame.trim()}` : ''}`;
}

/** Calls `onResync`; what it throws is logged and harms nobody. Resolves when that has ended. */
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

/** Calls `onError`; likewise. */
export function announceFailure(
  failure: WatchFailure,
  listener: { readonly log: InstanceLog; readonly onError: ((failure: WatchFailure) => unknown) | undefined },
): Promise<void> {
  return announce(listener.onError, failure, `onError of ${failure.handler}`, listener.log);
}

/** The call is made before this returns. */
async function announce<News>(
  callback: ((news: News) => unknown) | undefined,
  news: News,
  name: string,
  log: InstanceLog,
): Promise<void> {
  try {
    await callback?.(news);
  } catch (error) {
    log.error(`${name} failed: ${describeFailure(error)}`);
  }
}
