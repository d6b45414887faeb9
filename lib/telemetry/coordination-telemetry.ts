import { type Attributes, context, type Span, type SpanOptions, trace, type Tracer } from '@opentelemetry/api';
import type { ClaimKind } from '../coordination/claim-keeper.js';
import type { CoordinationObserver } from '../coordination/coordination.js';
import type { ClusterCronTick } from '../coordination/cron-tick.js';
import type { HeldLockObserver } from '../coordination/queued-lock.js';
import { LockLostError } from '../etcd-trigger.errors.js';
import type { Counters } from './instruments.js';
import { endSpan, errorType } from './span-end.js';

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
    return this.tracer.startActiveSpan('wait for lock', this.#lockOptions(lock), async (span) => {
      const onEnd = (outcome: string, error?: unknown): void => {
        const about = { 'etcd_trigger.outcome': outcome };
        const seconds = (performance.now() - startedAt) / 1_000;
        this.counters.lockWaitDuration.record(seconds, { ...this.#cluster, ...about, ...errorType(error) });
        span.setAttributes(about);
        endSpan(span, error);
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
    const span = this.tracer.startSpan('hold lock', this.#lockOptions(lock)).setAttribute('etcd_trigger.token', token);
    return {
      run: (call) => context.with(trace.setSpan(context.active(), span), call),
      released: (isLost) => {
        endSpan(span, isLost ? new LockLostError('') : undefined);
      },
    };
  }

  #lockOptions(lock: string): SpanOptions {
    return { attributes: { ...this.#cluster, 'etcd_trigger.lock': lock } };
  }

  /** The span is active during the call, which resolves to its error if it has failed. */
  #span(name: string, attributes: Attributes, call: () => Promise<unknown>): Promise<unknown> {
    return this.tracer.startActiveSpan(name, { attributes }, async (span: Span) => {
      const error = await call();
      endSpan(span, error);
      return error;
    });
  }
}
