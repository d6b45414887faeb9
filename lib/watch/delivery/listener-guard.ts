import type { InstanceLog } from '../../etcd-trigger.log.js';
import { adopted, isThenable } from '../../foreign/thenable.js';
import type { ClusterObserver } from '../sharing/cluster-observer.js';
import { describeFailure } from './listener-failure.js';

/** The ways in which the library calls listeners of the application, besides handlers. */
export type ListenerKind = 'onChange' | 'changes$' | 'observe' | 'onRefused' | 'onResync' | 'onError' | 'projection';

/**
 * Calls listeners of the application. What a listener throws or rejects with is logged by class and place, counted, and
 * affects nothing else.
 */
export class ListenerGuard {
  constructor(
    private readonly log: InstanceLog,
    private readonly observer?: Pick<ClusterObserver, 'listenerFailed'> | undefined,
  ) {}

  /** `problem` begins the log line: `a listener of key "/app/db" failed`. It is called only if the listener fails. */
  call(kind: ListenerKind, problem: () => string, listener: () => unknown): void {
    try {
      const result = listener();
      if (!isThenable(result)) return;
      adopted(result).catch((error: unknown) => {
        this.#failed(kind, problem(), error);
      });
    } catch (error) {
      this.#failed(kind, problem(), error);
    }
  }

  /** Resolves when the listener has ended. */
  async settle(kind: ListenerKind, name: string, listener: () => unknown): Promise<void> {
    try {
      await listener();
    } catch (error) {
      this.#failed(kind, `${name} failed`, error);
    }
  }

  #failed(kind: ListenerKind, problem: string, error: unknown): void {
    this.log.error(`${problem}: ${describeFailure(error)}`);
    this.observer?.listenerFailed(kind, error);
  }
}
