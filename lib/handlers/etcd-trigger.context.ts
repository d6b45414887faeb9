import type { ArgumentsHost } from '@nestjs/common';
import type { Fence } from '../backend/fence.js';
import type { ConfigTransaction } from '../config-transaction.js';
import type { ClusterCronTick } from '../coordination/cron-tick.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { DeliveryContext, WatchBatch, WatchEvent } from '../watch/watch-event.js';
import type { KeyParameters } from './key-pattern.js';

/** `ExecutionContext.getType()` in the guards, pipes, interceptors and filters of a handler. */
export const ETCD_TRIGGER_CONTEXT = 'etcd-trigger';

/**
 * One call of a handler, as its guards, interceptors and filters see it:
 * `EtcdTriggerContext.of(executionContext).event`.
 */
export class EtcdTriggerContext implements DeliveryContext {
  /** `Class.method`. */
  readonly handler: string;
  /** 1 for the first call with this event, 2 for the first retry, and so on. */
  readonly attempt: number;
  /** The parameters of the target in this key: `{ tenant: 'a' }`. Empty if the target has none. */
  readonly keyParameters: KeyParameters;
  readonly #invocation: HandlerInvocation;

  /** @internal */
  constructor(handler: string, invocation: HandlerInvocation) {
    this.handler = handler;
    this.#invocation = invocation;
    this.attempt = invocation.delivery.attempt;
    this.keyParameters = invocation.keyParameters ?? NO_PARAMETERS;
  }

  /**
   * Returns the call that a guard, interceptor, filter or parameter decorator runs in.
   * @throws InvalidOptionsError outside of a handler call: check `getType() === 'etcd-trigger'` first
   */
  static of(host: ArgumentsHost): EtcdTriggerContext {
    const context: unknown = host.getArgs().at(-1);
    if (context instanceof EtcdTriggerContext) return context;
    throw new InvalidOptionsError(
      `EtcdTriggerContext.of requires the context of a @WatchKey method, whose getType() is '${ETCD_TRIGGER_CONTEXT}', not '${host.getType()}'`,
    );
  }

  /** @throws InvalidOptionsError in a handler with `batch: true`, and at a tick of `@ClusterCron` */
  get event(): WatchEvent {
    const { subject } = this.#invocation;
    if ('scheduledAt' in subject)
      throw new InvalidOptionsError(`${this.handler} is called by @ClusterCron: read "tick" instead of "event"`);
    if ('events' in subject)
      throw new InvalidOptionsError(`${this.handler} receives batches: read "batch" instead of "event"`);
    return subject;
  }

  /** The proof that this instance owns the partition of the event, or the cron job. `undefined` without them. */
  get fence(): Fence | undefined {
    return this.#invocation.delivery.fence;
  }

  /** True if another owner of the partition may have handled the event before. */
  get redelivered(): boolean {
    return this.#invocation.delivery.redelivered;
  }

  /** See `DeliveryContext.commit`. */
  get commit(): (build: (tx: ConfigTransaction) => void) => Promise<void> {
    const { delivery } = this.#invocation;
    return (build) => delivery.commit(build);
  }

  /** Aborts when the call exceeds its `timeoutMs` or the drain limit of the shutdown. At a tick, the tick's signal. */
  get signal(): AbortSignal {
    return this.#invocation.delivery.signal;
  }

  /** The tick of `@ClusterCron`; the batch if the handler has `batch: true`; otherwise the event. */
  get subject(): WatchEvent | WatchBatch | ClusterCronTick {
    return this.#invocation.subject;
  }

  /** `undefined` unless `@ClusterCron` calls the method. */
  get tick(): ClusterCronTick | undefined {
    const { subject } = this.#invocation;
    return 'scheduledAt' in subject ? subject : undefined;
  }

  /** `undefined` unless the handler has `batch: true`. */
  get batch(): WatchBatch | undefined {
    const { subject } = this.#invocation;
    return 'events' in subject ? subject : undefined;
  }

  /**
   * The value of `@Payload()`: the validated value if the handler has a `type`, otherwise the bytes; `undefined` on
   * delete. The batch with `batch: true`, and the tick of `@ClusterCron`.
   */
  get payload(): unknown {
    const { subject, typed } = this.#invocation;
    if ('events' in subject || 'scheduledAt' in subject) return subject;
    return typed ? typed.value : subject.value;
  }

  /** The arguments of guards, interceptors and filters: payload and context, as in Nest's microservices. */
  get args(): [unknown, EtcdTriggerContext] {
    return [this.payload, this];
  }

  /** The value of `@Previous()`. */
  get previous(): unknown {
    const { subject, typed } = this.#invocation;
    if ('events' in subject || 'scheduledAt' in subject) return undefined;
    return typed ? typed.previous : subject.previous;
  }
}

/** @internal */
export interface HandlerInvocation {
  readonly subject: WatchEvent | WatchBatch | ClusterCronTick;
  readonly delivery: DeliveryContext;
  readonly keyParameters: KeyParameters | undefined;
  /** `undefined` if the handler has no `type`: its payload is the bytes. */
  readonly typed: TypedPayload | undefined;
}

/** @internal */
export interface TypedPayload {
  readonly value: object | undefined;
  readonly previous: object | undefined;
}

const NO_PARAMETERS: KeyParameters = Object.freeze({});
