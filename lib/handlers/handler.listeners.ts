import type { InstanceLog } from '../etcd-trigger.log.js';
import type { ResyncNotice, WatchFailure } from '../watch/watch-event.js';
import { announceFailure, announceResync } from '../watch/delivery/listener-failure.js';
import type { WatchTarget } from '../backend/key-range.js';
import { methodOf } from './handler.caller.js';
import type { DecoratedMethod } from './handler.explorer.js';
import { type HandlerTarget, handlerTargetOf } from './handler-target.js';

interface Listener<News> {
  readonly name: string;
  /** `undefined`: for every target. */
  readonly target: HandlerTarget | undefined;
  readonly call: (news: News) => unknown;
}

/** The `@OnWatchResync` and `@OnWatchError` methods of one cluster. */
export class HandlerListeners {
  readonly #resyncs: readonly Listener<ResyncNotice>[];
  readonly #errors: readonly Listener<WatchFailure>[];

  constructor(
    methods: readonly DecoratedMethod[],
    cluster: string,
    private readonly log: InstanceLog,
  ) {
    this.#resyncs = methods.flatMap((method) => listenersOf(method, method.onResyncs, cluster));
    this.#errors = methods.flatMap((method) => listenersOf(method, method.onErrors, cluster));
  }

  /** Calls those that are for what this target watches; resolves when all have ended. */
  onResync({ range }: HandlerTarget): (notice: ResyncNotice) => Promise<unknown> {
    const concerned = this.#resyncs.filter(({ target }) => !target || target.range.identity === range.identity);
    return (notice) =>
      Promise.all(concerned.map(({ name, call }) => announceResync(notice, { name, log: this.log, onResync: call })));
  }

  /** Calls those that are for this target; likewise. */
  onError({ identity }: HandlerTarget): (failure: WatchFailure) => Promise<unknown> {
    const concerned = this.#errors.filter(({ target }) => !target || target.identity === identity);
    return (failure) =>
      Promise.all(concerned.map(({ call }) => announceFailure(failure, { log: this.log, onError: call })));
  }
}

function listenersOf<News extends object>(
  method: DecoratedMethod,
  decorators: readonly { readonly target: WatchTarget | undefined; readonly cluster: string }[],
  cluster: string,
): Listener<News>[] {
  const call = methodOf(method);
  return decorators
    .filter((decorator) => decorator.cluster === cluster)
    .map(({ target }) => ({
      name: method.name,
      target: target === undefined ? undefined : handlerTargetOf(target),
      call: (news) => call(news, [news]),
    }));
}
