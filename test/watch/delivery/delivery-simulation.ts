import fc from 'fast-check';
import type { ChangeEvent } from '../../../lib/watch/stream/change-event.js';
import type { DeliveryContext, WatchEvent, WatchFailure } from '../../../lib/watch/watch-event.js';
import { type DeliveryOptions, resolveDelivery } from '../../../lib/watch/delivery/delivery-options.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import type { KeyChange } from '../../../lib/backend/key-record.js';
import { QueuedSubscription } from '../../../lib/watch/delivery/queued-subscription.js';
import { RangeCache } from '../../../lib/watch/stream/range-cache.js';
import { quiet } from '../../support/quiet-logger.js';
import { VirtualClock } from '../../support/virtual-clock.js';

export const BACKOFF_MS = 7;

/** One step of a schedule: changes arrive, or the listener is paused or resumed. */
export type Step = { readonly afterMs: number } & (
  | { readonly change: readonly { readonly key: string; readonly gone: boolean }[] }
  | { readonly turn: 'pause' | 'resume' }
);

/** Behaviour of one handler call: it ends after `ms` milliseconds (0: synchronously), or when its signal aborts. */
export interface Behaviour {
  readonly ms: number | 'until-aborted';
  readonly fails: boolean;
}

export interface Call {
  readonly event: WatchEvent;
  readonly key: string;
  readonly attempt: number;
  readonly from: number;
  readonly behaviour: Behaviour;
  /** Keys of the calls that were running when this one started. */
  readonly beside: readonly string[];
  to: number | undefined;
  abortedAt: number | undefined;
}

const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e');

export const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        afterMs: fc.nat(20),
        change: fc.uniqueArray(fc.record({ key: keys, gone: fc.boolean() }), {
          selector: ({ key }) => key,
          minLength: 1,
          maxLength: 3,
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ afterMs: fc.nat(20), turn: fc.constantFrom('pause', 'resume') }) },
  ),
  { maxLength: 40 },
) as fc.Arbitrary<Step[]>;

export const behaviours = fc.array(
  fc.record({
    ms: fc.oneof({ weight: 4, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.constant('until-aborted' as const) }),
    fails: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

/** Runs one listener on a virtual clock, with scheduled changes and handler calls. */
export class DeliverySimulation {
  readonly clock = new VirtualClock();
  readonly calls: Call[] = [];
  readonly failures: WatchFailure[] = [];
  /** The events that the listener received, with their time. */
  readonly arrivals: { readonly event: ChangeEvent; readonly at: number }[] = [];
  readonly subscription: QueuedSubscription;
  /** The content of the range: the last write of each key. */
  readonly cache = RangeCache.of({ revision: 0, clusterId: '', records: new Map() });
  /** If true, calls neither fail nor take time. */
  isCalm = false;
  readonly #behaviours: readonly Behaviour[];

  constructor(options: DeliveryOptions, behaviours: readonly Behaviour[]) {
    this.#behaviours = behaviours;
    this.subscription = new QueuedSubscription(
      { event: (event, context) => this.#handle(event, context) },
      {
        target: '/',
        name: 'Simulated.handler',
        log: new InstanceLog(quiet, { serviceName: '', podName: '' }),
        delivery: resolveDelivery(options, {}, 'event'),
        onResync: undefined,
        onError: [(failure) => this.failures.push(failure)],
        onEnd: () => undefined,
        clock: this.clock,
        backoff: () => BACKOFF_MS,
      },
    );
    this.subscription.listed();
  }

  get running(): Call[] {
    return this.calls.filter(({ to }) => to === undefined);
  }

  async play(schedule: readonly Step[], observe: () => void = () => undefined): Promise<void> {
    for (const step of schedule) {
      await this.clock.runUntil(this.clock.now() + step.afterMs);
      if ('turn' in step) this.subscription[step.turn]();
      else this.#change(step.change);
      observe();
    }
  }

  /** Runs until nothing is pending. Resumes a halted listener, and lets no further call fail. */
  async finish(): Promise<void> {
    this.isCalm = true;
    do {
      this.subscription.resume();
      await this.clock.runUntil();
    } while (this.subscription.paused);
  }

  #change(changes: readonly { readonly key: string; readonly gone: boolean }[]): void {
    const revision = this.cache.next;
    const effective = changes.filter(({ key, gone }) => !gone || this.cache.get(key) !== undefined);
    if (effective.length === 0) return;
    const batch = this.cache.apply({
      revision,
      origin: 'live',
      changes: effective.map(({ key: rawKey, gone }): KeyChange =>
        gone
          ? { rawKey, value: undefined, revision }
          : {
              rawKey,
              value: Buffer.from(String(revision)),
              revision,
              createRevision: 1,
              version: 1,
              lease: undefined,
            },
      ),
    });
    for (const event of batch.events) this.arrivals.push({ event, at: this.clock.now() });
    this.subscription.deliver(batch, undefined);
  }

  #handle(event: WatchEvent, context: DeliveryContext): Promise<void> | undefined {
    const { clock } = this;
    const chosen = this.#behaviours[this.calls.length % this.#behaviours.length] as Behaviour;
    const behaviour = this.isCalm ? { ms: 0, fails: false } : chosen;
    const { key } = event;
    const { attempt } = context;
    const from = clock.now();
    const beside = this.running.map((other) => other.key);
    const call: Call = { event, key, attempt, from, behaviour, beside, to: undefined, abortedAt: undefined };
    this.calls.push(call);
    const end = (): void => {
      call.to = clock.now();
    };
    if (behaviour.ms === 0) {
      end();
      if (behaviour.fails) throw new Error('at once');
      return undefined;
    }
    context.signal.addEventListener('abort', () => {
      call.abortedAt = clock.now();
    });
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        end();
        if (behaviour.fails) reject(new Error('later'));
        else resolve();
      };
      if (behaviour.ms === 'until-aborted') context.signal.addEventListener('abort', settle);
      else clock.after(behaviour.ms, settle);
    });
  }
}
