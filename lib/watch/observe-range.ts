import type { Observable } from 'rxjs';
import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import { resolveDelivery } from './delivery/delivery-options.js';
import type { ObserveOptions } from './delivery/watch-options.js';
import type { ListenerRegistrar } from './listener-registrar.js';
import type { WatchEvent } from './watch-event.js';
import { GuardedObservable } from './delivery/guarded-observable.js';
import { type ListenerGuard } from './delivery/listener-guard.js';
import { onAbort } from '../timing/on-abort.js';

/** Each subscriber is a separate listener, called synchronously and without a queue. */
export function observeRange(
  registrar: ListenerRegistrar,
  target: WatchTarget,
  guard: ListenerGuard,
  options: ObserveOptions,
): Observable<WatchEvent> {
  const { signal, onResync } = options;
  const nameOf = (): string => `an observer of ${KeyRange.of(target).toString()}`;
  const guarded = (call: () => unknown): void => {
    guard.call('observe', () => `${nameOf()} failed`, call);
  };
  return new GuardedObservable(guarded, (subscriber) => {
    const range = KeyRange.of(target);
    const { events } = resolveDelivery(options, {}, 'event');
    registrar.checkOpen(`watch ${range.toString()}`);
    const complete = (): void => {
      subscriber.complete();
    };
    const { unregister, listed } = registrar.register(range, options, {
      canAccept: () => true,
      deliver: (batch, notice) => {
        if (notice)
          guard.call(
            'onResync',
            () => `onResync of ${nameOf()} failed`,
            () => onResync?.(notice),
          );
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
    const stopListening = onAbort(signal, complete);
    return () => {
      stopListening();
      unregister();
    };
  });
}
