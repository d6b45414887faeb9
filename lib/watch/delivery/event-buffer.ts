import type { IBackoffFactory } from 'cockatiel';
import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import type { Clock } from '../../timing/clock.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { DeliveryQueue } from './delivery-queue.js';
import type { HandlerRunner } from './handler-runner.js';

/** What is handed over in one call. */
export type Deliverable = ChangeEvent | ChangeBatch;

/** Takes what comes for a listener, and lets its queue call the handler. */
export interface EventBuffer {
  readonly queue: Pick<DeliveryQueue<never>, 'start' | 'pause' | 'resume' | 'isPaused' | 'idle'>;
  /** Events that wait, and calls that run. */
  readonly pending: number;
  /** Whether the handler has still to finish with something of origin `initial`. */
  readonly hasInitial: boolean;
  canAccept(count: number): boolean;
  take(batch: ChangeBatch): void;
  /** What waits is dropped, and no further call starts. */
  close(): void;
}

export interface EventBufferOptions {
  readonly runner: HandlerRunner<Deliverable>;
  readonly delivery: ResolvedDelivery;
  /** Waiting times before further attempts. */
  readonly backoff: IBackoffFactory<unknown>;
  readonly clock: Clock;
  /** There is room again, after there was none. */
  readonly onDrain: () => void;
  /** The handler has finished with everything of origin `initial`. */
  readonly initialDone: () => void;
}
