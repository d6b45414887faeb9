import type { ArgumentsHost } from '@nestjs/common';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { DeliveryContext, WatchBatch, WatchEvent } from '../watch/watch-event.js';
import type { KeyParameters } from './key-pattern.js';

/** What `ExecutionContext.getType()` says in the guards, pipes, interceptors and filters of a handler. */
export const ETCD_TRIGGER_CONTEXT = 'etcd-trigger';

/** One call of a handler, for its guards, interceptors and filters: `EtcdTriggerContext.of(executionContext).event`. */
export class EtcdTriggerContext implements DeliveryContext {
  /** `Class.method`. */
  readonly handler: string;
  /** 1 for the first call with this event, then 2, and so on. */
  readonly attempt: number;
  /** What the parameters of the target are in this key: `{ tenant: 'a' }`. Empty where the target has none. */
  readonly keyParameters: KeyParameters;
  readonly #call: HandlerInvocation;

  /** @internal */
  constructor(handler: string, call: HandlerInvocation) {
    this.handler = handler;
    this.#call = call;
    this.attempt = call.delivery.attempt;
    this.keyParameters = call.keyParameters ?? NONE;
  }

  /**
   * The call that a guard, interceptor, filter or parameter decorator runs in.
   * @throws InvalidOptionsError when that is no call of a handler: ask `getType() === 'etcd-trigger'` first
   */
  static of(host: ArgumentsHost): EtcdTriggerContext {
    const context: unknown = host.getArgs().at(-1);
    if (context instanceof EtcdTriggerContext) return context;
    throw new InvalidOptionsError(
      `EtcdTriggerContext.of is for calls of @WatchKey methods, where getType() is '${ETCD_TRIGGER_CONTEXT}'; this is '${host.getType()}'`,
    );
  }

  /**
   * The event.
   * @throws InvalidOptionsError in a handler with `batch: true`
   */
  get event(): WatchEvent {
    const { subject } = this.#call;
    if ('events' in subject)
      throw new InvalidOptionsError(`${this.handler} receives batches: read "batch", not "event"`);
    return subject;
  }

  /** Aborts when the call shall end now: it has taken longer than its `timeoutMs`, or shutdown has waited long enough. */
  get signal(): AbortSignal {
    return this.#call.delivery.signal;
  }

  /** The event or the batch. */
  get subject(): WatchEvent | WatchBatch {
    return this.#call.subject;
  }

  /** The batch, in a handler with `batch: true`. */
  get batch(): WatchBatch | undefined {
    const { subject } = this.#call;
    return 'events' in subject ? subject : undefined;
  }

  /** What `@Payload()` gives: the validated value where the handler has a `type`, else the bytes; `undefined` on delete. The batch, with `batch: true`. */
  get payload(): unknown {
    const { subject, typed } = this.#call;
    if ('events' in subject) return subject;
    return typed ? typed.value : subject.value;
  }

  /** What guards, interceptors and filters find in `getArgs()`: the payload as data, this as context, as in Nest's microservices. */
  get args(): [unknown, EtcdTriggerContext] {
    return [this.payload, this];
  }

  /** What `@Previous()` gives. */
  get previous(): unknown {
    const { subject, typed } = this.#call;
    if ('events' in subject) return undefined;
    return typed ? typed.previous : subject.previous;
  }
}

/** @internal */
export class HandlerInvocation {
  constructor(
    readonly subject: WatchEvent | WatchBatch,
    readonly delivery: DeliveryContext,
    readonly keyParameters: KeyParameters | undefined,
    /** Of a handler with a `type`; `undefined` where the payload is bytes. */
    readonly typed?: TypedPayload,
  ) {}
}

/** @internal */
export interface TypedPayload {
  readonly value: object | undefined;
  readonly previous: object | undefined;
}

const NONE: KeyParameters = Object.freeze({});
