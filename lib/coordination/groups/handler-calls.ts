import type { Fence } from '../../backend/fence.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { adopted, isThenable } from '../../foreign/thenable.js';
import { SYSTEM_CLOCK } from '../../timing/clock.js';
import type { CallOutcome, PendingCall } from '../../watch/delivery/delivery-queue.js';
import { type Deliverable, subjectOf } from '../../watch/delivery/deliverable.js';
import { HandlerRunner } from '../../watch/delivery/handler-runner.js';
import { describeFailure } from '../../watch/delivery/listener-failure.js';
import type { DeliveryContext } from '../../watch/watch-event.js';
import { GroupCall, type GroupCallOwner } from './group-call.js';
import type { GroupHandler } from './group-handler.js';
import type { GroupItem } from './group-item.js';

export interface HandlerCallsOptions {
  readonly group: Pick<GroupHandler, 'name' | 'handler' | 'delivery'>;
  readonly fence: Fence;
  readonly log: InstanceLog;
  /** Applies writes, and stores that the item is finished. */
  readonly commit: (item: GroupItem, build: (tx: ConfigTransaction) => void) => Promise<void>;
  /** The last attempt has failed. */
  readonly onFailure: (item: GroupItem, attempts: number, error: unknown) => void;
}

type MethodCall = (subject: Deliverable, context: DeliveryContext) => unknown;

/** Calls the handler of a group with items, and decides from the end of a call whether the item is finished. */
export class HandlerCalls {
  readonly #options: HandlerCallsOptions;
  readonly #owner: GroupCallOwner;
  readonly #method: MethodCall;
  readonly #runner: HandlerRunner<GroupItem>;

  constructor(options: HandlerCallsOptions) {
    const { group, fence, commit, onFailure } = options;
    const { handler } = group;
    this.#options = options;
    this.#method = ('batch' in handler ? handler.batch : handler.event) as MethodCall;
    this.#owner = { name: group.name, fence, commit };
    this.#runner = new HandlerRunner<GroupItem>({
      handler: (item, call) => this.#invoke(item, call),
      delivery: group.delivery,
      clock: SYSTEM_CLOCK,
      describe: (item) => `${group.name} did not finish with ${subjectOf(item.subject)}`,
      onFailure,
    });
  }

  get calls(): number {
    return this.#runner.calls;
  }

  get failures(): number {
    return this.#runner.failures;
  }

  call(item: GroupItem, attempt: number): CallOutcome | PendingCall {
    return this.#runner.call(item, attempt);
  }

  /** Aborts the signals of the running calls. */
  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  #invoke(item: GroupItem, call: DeliveryContext): unknown {
    const context = new GroupCall(call, item, this.#owner);
    let result: unknown;
    try {
      result = this.#method(item.subject, context);
    } catch (error) {
      const committing = context.end();
      if (committing) return this.#endCommitting(item, context, error);
      this.#failedCall(item, context, error);
      return undefined;
    }
    if (isThenable(result)) {
      return adopted(result).then(
        () => this.#finish(item, context),
        async (error: unknown) => {
          await context.end()?.catch(() => undefined);
          this.#failedCall(item, context, error);
        },
      );
    }
    return this.#finish(item, context);
  }

  #finish(item: GroupItem, context: GroupCall): Promise<void> | undefined {
    const committing = context.end();
    if (!committing) {
      item.isHandled = true;
      return undefined;
    }
    return committing.then(() => {
      item.isHandled = true;
    });
  }

  async #endCommitting(item: GroupItem, context: GroupCall, error: unknown): Promise<void> {
    await context.end()?.catch(() => undefined);
    this.#failedCall(item, context, error);
  }

  /** @throws the error, unless the event is handled: then the error is only logged */
  #failedCall(item: GroupItem, { isCommitted }: GroupCall, error: unknown): void {
    if (!isCommitted) throw error;
    const { group, log } = this.#options;
    item.isHandled = true;
    log.error(
      `${group.name} failed for ${subjectOf(item.subject)} after its commit() was applied: ${describeFailure(error)}; it is not retried`,
    );
  }
}
