import type { WatchTarget } from '../backend/key-range.js';
import type { ResyncNotice, WatchFailure } from '../watch/watch-event.js';
import type { DecoratedMethod } from './decorated-method.js';
import { scopedMethodOf } from './enhancers/handler.scope.js';
import { type HandlerTarget, handlerTargetOf } from './handler-target.js';
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

  add(methods: readonly DecoratedMethod[]): void {
    const { cluster } = this;
    this.#resyncs = [...this.#resyncs, ...methods.flatMap((method) => listenersOf(method, method.onResyncs, cluster))];
    this.#errors = [...this.#errors, ...methods.flatMap((method) => listenersOf(method, method.onErrors, cluster))];
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
