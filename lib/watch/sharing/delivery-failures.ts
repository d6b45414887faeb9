import type { KeyRange } from '../../backend/key-range.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeThrown } from '../../foreign/foreign-error.js';
import type { ClusterObserver } from './cluster-observer.js';

/**
 * Reports what the library's own delivery throws: a bug that must not become silence. The log has one line for the first
 * failure of a delivery and one for its recovery, and the metric counts every failure.
 */
export class DeliveryFailures {
  /** Subjects by delivery. */
  readonly #failing = new Map<object, string>();
  /** Called when a delivery fails or works again. */
  changed: () => void = () => undefined;

  constructor(
    private readonly log: InstanceLog,
    private readonly observer: Pick<ClusterObserver, 'deliveryFailed'> | undefined,
  ) {}

  /** Names of the deliveries that have failed and not succeeded since. */
  get subjects(): string[] {
    return [...new Set(this.#failing.values())];
  }

  /** `subject` names the delivery, which is retried, in messages; `delivery` identifies it. */
  failed(delivery: object, subject: string | KeyRange, error: unknown): void {
    this.#failed(delivery, subject, 'failed unexpectedly and is retried', error);
  }

  /** Like `failed`, for a delivery that is not retried: the next one may succeed. */
  missed(delivery: object, subject: string, error: unknown): void {
    this.#failed(delivery, subject, 'failed unexpectedly', error);
  }

  /** Reports a failure that needs no retry. */
  report(subject: string, error: unknown): void {
    this.#log(subject, 'failed unexpectedly', error);
    this.#count(subject);
  }

  recovered(delivery: object, subject: string | KeyRange): void {
    if (!this.#failing.delete(delivery)) return;
    this.log.info(`${String(subject)}: delivery works again`);
    this.changed();
  }

  isFailing(delivery: object): boolean {
    return this.#failing.has(delivery);
  }

  /** To be called when a delivery has ended. */
  forget(delivery: object): void {
    this.#failing.delete(delivery);
  }

  #failed(delivery: object, subject: string | KeyRange, event: string, error: unknown): void {
    const isKnown = this.#failing.has(delivery);
    this.#failing.set(delivery, String(subject));
    this.changed();
    if (!isKnown) this.#log(subject, event, error);
    this.#count(subject);
  }

  #log(subject: string | KeyRange, event: string, error: unknown): void {
    this.log.error(`${String(subject)}: delivery ${event}: ${describeThrown(error)}`);
  }

  #count(subject: string | KeyRange): void {
    try {
      this.observer?.deliveryFailed(String(subject));
    } catch {
      // Metrics that fail must not affect the delivery, and the failure is logged already.
    }
  }
}
