import type { WatchTarget } from '../backend/key-range.js';
import type { ResyncNotice, WatchFailure } from '../watch/watch-event.js';
import type { DecoratedMethod } from './decorated-method.js';
import { scopedMethodOf } from './enhancers/handler.scope.js';
import { describeHandlerTarget, type HandlerTarget, handlerTargetOf } from './handler-target.js';
import { type ListenerGuard } from '../watch/delivery/listener-guard.js';

interface Listener<Notice> {
  readonly name: string;
  /** `undefined`: listens to every target. */
  readonly target: HandlerTarget | undefined;
  readonly call: (notice: Notice) => unknown;
}

/** The `@OnWatchResync` and `@OnWatchError` methods of one cluster. */
export class HandlerListeners {
  #resyncs: readonly Listener<ResyncNotice>[] = [];
  #errors: readonly Listener<WatchFailure>[] = [];

  constructor(
    private readonly cluster: string,
    private readonly guard: ListenerGuard,
  ) {}

  /** Returns one line for each added method that no handler of these targets ever calls. */
  add(methods: readonly DecoratedMethod[], handlers: readonly HandlerTarget[]): string[] {
    const { cluster } = this;
    const resyncs = methods.flatMap((method) => listenersOf<ResyncNotice>(method, method.onResyncs, cluster));
    const errors = methods.flatMap((method) => listenersOf<WatchFailure>(method, method.onErrors, cluster));
    this.#resyncs = [...this.#resyncs, ...resyncs];
    this.#errors = [...this.#errors, ...errors];
    const ranges = new Set(handlers.map(({ range }) => range.identity));
    const identities = new Set(handlers.map(({ identity }) => identity));
    return [
      ...resyncs.flatMap(({ name, target }) =>
        neverCalled('@OnWatchResync', name, target, ({ range }) => ranges.has(range.identity)),
      ),
      ...errors.flatMap(({ name, target }) =>
        neverCalled('@OnWatchError', name, target, ({ identity }) => identities.has(identity)),
      ),
    ];
  }

  /** Calls the `@OnWatchResync` methods that listen to the range of this target. Resolves when all have ended. */
  onResync({ range }: HandlerTarget): (notice: ResyncNotice) => Promise<unknown> {
    return (notice) => {
      const listeners = this.#resyncs.filter(({ target }) => !target || target.range.identity === range.identity);
      return Promise.all(listeners.map(({ name, call }) => this.guard.settle('onResync', name, () => call(notice))));
    };
  }

  /** Calls the `@OnWatchError` methods that listen to this target. Resolves when all have ended. */
  onError({ identity }: HandlerTarget): (failure: WatchFailure) => Promise<unknown> {
    return (failure) => {
      const listeners = this.#errors.filter(({ target }) => !target || target.identity === identity);
      return Promise.all(listeners.map(({ name, call }) => this.guard.settle('onError', name, () => call(failure))));
    };
  }
}

function neverCalled(
  decorator: string,
  name: string,
  target: HandlerTarget | undefined,
  isHandled: (target: HandlerTarget) => boolean,
): string[] {
  if (!target || isHandled(target)) return [];
  return [`${decorator} on ${name} is never called: no @WatchKey has the target ${describeHandlerTarget(target)}`];
}

function listenersOf<Notice extends object>(
  method: DecoratedMethod,
  decorators: readonly { readonly target: WatchTarget | undefined; readonly cluster: string }[],
  cluster: string,
): Listener<Notice>[] {
  const call = scopedMethodOf(method);
  return decorators
    .filter((decorator) => decorator.cluster === cluster)
    .map(({ target }) => ({
      name: method.name,
      target: target === undefined ? undefined : handlerTargetOf(target),
      call: (notice) => call(notice, [notice]),
    }));
}
