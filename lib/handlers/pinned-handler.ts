import type { WatchHandler } from '../watch/watch-event.js';

/** Calls a function whose reads of the store show one state until its promise has settled. */
export type Pin = (run: () => unknown) => Promise<unknown>;

/** Pins the reads of each call of a handler. */
export const pinnedHandler = (handler: WatchHandler, pin: Pin | undefined): WatchHandler => {
  if (!pin) return handler;
  return 'batch' in handler
    ? { batch: (batch, delivery) => pin(() => handler.batch(batch, delivery)) }
    : { event: (event, delivery) => pin(() => handler.event(event, delivery)) };
};
