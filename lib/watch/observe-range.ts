import { Observable } from 'rxjs';
import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { resolveDelivery } from './delivery/delivery-options.js';
import { announceResync } from './delivery/listener-failure.js';
import type { ObserveOptions } from './delivery/watch-options.js';
import type { ListenerRegistrar } from './listener-registrar.js';
import type { WatchEvent } from './watch-event.js';

/** Each subscriber is a separate listener, called synchronously and without a queue. */
export function observeRange(
  registrar: ListenerRegistrar,
  target: WatchTarget,
  log: InstanceLog,
  options: ObserveOptions,
): Observable<WatchEvent> {
  const { signal, onResync } = options;
  return new Observable((subscriber) => {
    const range = KeyRange.of(target);
    const name = `observer of ${range.toString()}`;
    const { events } = resolveDelivery(options, {}, 'event');
    registrar.checkOpen(`watch ${range.toString()}`);
    const complete = (): void => {
      subscriber.complete();
    };
    const { unregister, listed } = registrar.register(range, options, {
      canAccept: () => true,
      deliver: (batch, notice) => {
        if (notice) void announceResync(notice, { name, log, onResync });
        for (const event of batch.events) {
          if (!subscriber.closed && (events === 'both' || event.type === events)) subscriber.next(event);
        }
      },
      ended: complete,
    });
    listed.catch((error: unknown) => {
      if (signal?.aborted) complete();
      else subscriber.error(error);
    });
    signal?.addEventListener('abort', complete);
    return () => {
      signal?.removeEventListener('abort', complete);
      unregister();
    };
  });
}
