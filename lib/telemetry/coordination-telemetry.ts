import type { Attributes, SpanOptions, Tracer } from '@opentelemetry/api';
import type { ClaimKind } from '../coordination/claim-keeper.js';
import type { CoordinationObserver } from '../coordination/coordination.js';
import type { ClusterCronTick } from '../coordination/cron-tick.js';
import type { HeldLockObserver } from '../coordination/queued-lock.js';
import { LockLostError } from '../etcd-trigger.errors.js';
import type { Counters } from './instruments.js';
import { quietly } from './quietly.js';
import { asActive, endSpan, errorType, inSpan } from './spans.js';

/** Reports metrics and spans of elections, locks and cron jobs. The names of locks may be many, so no metric has them. */
export class CoordinationTelemetry implements CoordinationObserver {
  readonly #cluster: Attributes;

  constructor(
    cluster: string,
    private readonly tracer: Tracer,
    private readonly counters: Counters,
  ) {
    this.#cluster = { 'etcd_trigger.cluster': cluster };
  }

  claimLost(kind: ClaimKind): void {
    this.counters.claimsLost.add(1, { ...this.#cluster, 'etcd_trigger.claim': kind });
  }

  eventParked(group: string): void {
    this.counters.groupParked.add(1, { ...this.#cluster, 'etcd_trigger.group': group });
  }

  checkpointed(seconds: number): void {
    this.counters.groupCheckpointDuration.record(seconds, this.#cluster);
  }

  term(election: string, token: number, run: () => Promise<unknown>): Promise<unknown> {
    const attributes = { ...this.#cluster, 'etcd_trigger.election': election };
    this.counters.electionTerms.add(1, attributes);
    return this.#span(`lead ${election}`, { ...attributes, 'etcd_trigger.token': token }, run);
  }

  termFailed(election: string, error: unknown): void {
    const attributes = { ...this.#cluster, 'etcd_trigger.election': election };
    this.counters.electionFailures.add(1, { ...attributes, ...errorType(error ?? new Error()) });
  }

  async tick(
    job: string,
    { scheduledAt, missed }: Pick<ClusterCronTick, 'scheduledAt' | 'missed'>,
    call: () => Promise<unknown>,
  ): Promise<unknown> {
    const attributes = { ...this.#cluster, 'etcd_trigger.job': job };
    const about = { 'etcd_trigger.scheduled_at': scheduledAt.toISOString(), 'etcd_trigger.missed': missed.length };
    this.counters.cronTicks.add(1, attributes);
    const error = await this.#span(`tick ${job}`, { ...attributes, ...about }, call);
    if (error !== undefined) this.counters.cronFailures.add(1, { ...attributes, ...errorType(error) });
    return error;
  }

  ticksMissed(job: string, count: number): void {
    this.counters.cronMissed.add(count, { ...this.#cluster, 'etcd_trigger.job': job });
  }

  ticksSkipped(job: string, count: number): void {
    this.counters.cronSkipped.add(count, { ...this.#cluster, 'etcd_trigger.job': job });
  }

  lockWait<T>(lock: string, wait: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    return inSpan(this.tracer, 'wait for lock', this.#lockOptions(lock), async (span) => {
      const onEnd = (outcome: string, error?: unknown): void => {
        const about = { 'etcd_trigger.outcome': outcome };
        const seconds = (performance.now() - startedAt) / 1_000;
        this.counters.lockWaitDuration.record(seconds, { ...this.#cluster, ...about, ...errorType(error) });
        endSpan(span, error, about);
      };
      try {
        const acquired = await wait();
        onEnd(acquired === undefined ? 'busy' : 'acquired');
        return acquired;
      } catch (error) {
        onEnd('failed', error ?? new Error());
        throw error;
      }
    });
  }

  lockAcquired(lock: string, token: number): HeldLockObserver {
    const options = this.#lockOptions(lock, { 'etcd_trigger.token': token });
    const span = quietly(() => this.tracer.startSpan('hold lock', options));
    return {
      run: (call) => asActive(span, call),
      released: (isLost) => {
        endSpan(span, isLost ? new LockLostError('') : undefined);
      },
    };
  }

  #lockOptions(lock: string, others: Attributes = {}): SpanOptions {
    return { attributes: { ...this.#cluster, 'etcd_trigger.lock': lock, ...others } };
  }

  /** The span is active during the call, which resolves to its error if it has failed. */
  #span(name: string, attributes: Attributes, call: () => Promise<unknown>): Promise<unknown> {
    return inSpan(this.tracer, name, { attributes }, async (span) => {
      const error = await call();
      endSpan(span, error);
      return error;
    });
  }
}
