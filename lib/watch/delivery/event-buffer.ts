import type { ChangeBatch } from '../stream/change-event.js';
import type { Clock } from '../../timing/clock.js';
import type { Deliverable } from './deliverable.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { DeliveryQueue } from './delivery-queue.js';
import type { HandlerRunner } from './handler-runner.js';

/** Buffers the events of one listener; its queue calls the handler. */
export interface EventBuffer {
  readonly queue: Pick<DeliveryQueue<never>, 'start' | 'pause' | 'resume' | 'isPaused' | 'idle'>;
  /** Number of waiting events and running calls. */
  readonly pending: number;
  /** True if the handler has not finished with all events of origin `initial`. */
  readonly hasInitial: boolean;
  canAccept(count: number): boolean;
  push(batch: ChangeBatch): void;
  /** Drops the waiting events and starts no further calls. */
  close(): void;
}

export interface EventBufferOptions {
  readonly runner: HandlerRunner<Deliverable>;
  readonly delivery: ResolvedDelivery;
  /** Milliseconds to wait before the given retry, counted from 1. */
  readonly backoff: (retry: number) => number;
  readonly clock: Clock;
  /** Invoked when the buffer can accept events again, after `canAccept` has returned false. */
  readonly onDrain: () => void;
  /** Invoked when the handler has finished with all events of origin `initial`. */
  readonly onInitialDone: () => void;
  /** Invoked with what the delivery of an event has thrown unexpectedly; it is retried. */
  readonly onFailure: (error: unknown) => void;
  /** Invoked after the first call that did not throw after one that did. */
  readonly onRecovered: () => void;
}
