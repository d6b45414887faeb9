import { adopted, isThenable } from '../foreign/thenable.js';
import type { DeliveryContext, WatchHandler } from '../watch/watch-event.js';

type Call<Subject> = (subject: Subject, delivery: DeliveryContext) => unknown;

/** Number of calls that are not measured after one that has ended synchronously. */
const SKIPPED_CALLS = 15;

/** Measures how long the calls of a handler take: all that are asynchronous, and some of the others. */
export class CallTimes {
  /** Number of measured calls that have ended. */
  calls = 0;
  /** The milliseconds that they have taken. */
  ms = 0;

  of(handler: WatchHandler): WatchHandler {
    return 'batch' in handler ? { batch: this.#measured(handler.batch) } : { event: this.#measured(handler.event) };
  }

  #measured<Subject>(call: Call<Subject>): Call<Subject> {
    let skip = 0;
    return (subject, delivery) => {
      if (skip > 0) {
        skip -= 1;
        return call(subject, delivery);
      }
      const startedAt = performance.now();
      const end = (): void => {
        this.calls += 1;
        this.ms += performance.now() - startedAt;
      };
      let result: unknown;
      try {
        result = call(subject, delivery);
      } catch (error) {
        end();
        throw error;
      }
      if (isThenable(result)) {
        const promise = adopted(result);
        promise.then(end, end);
        return promise;
      }
      end();
      skip = SKIPPED_CALLS;
      return result;
    };
  }
}
