import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryOptions } from '../../../lib/watch/delivery/delivery-options.js';
import { BACKOFF_MS, behaviours, type Call, DeliverySimulation, steps } from './delivery-simulation.js';

const attempts = fc.integer({ min: 1, max: 3 });
const options = fc.record({
  order: fc.constantFrom('key', 'target', 'none'),
  concurrency: fc.integer({ min: 1, max: 3 }),
  delivery: fc.constantFrom('every', 'latest'),
  retry: fc.record({ attempts }),
  timeoutMs: fc.integer({ min: 5, max: 25 }),
  onExhausted: fc.constantFrom('skip', 'halt'),
}) satisfies fc.Arbitrary<DeliveryOptions>;

const RUNS = { numRuns: 150 };

/** Plays random schedules to their end and checks the results. */
const always = (
  kind: fc.Arbitrary<DeliveryOptions>,
  check: (simulation: DeliverySimulation, options: DeliveryOptions) => void,
  observe: (simulation: DeliverySimulation, options: DeliveryOptions) => void = () => undefined,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(kind, steps, behaviours, async (chosen, schedule, does) => {
      const simulation = new DeliverySimulation(chosen, does);
      await simulation.play(schedule, () => {
        observe(simulation, chosen);
      });
      await simulation.finish();
      check(simulation, chosen);
    }),
    RUNS,
  );

describe('delivery, for any events and for calls that take time, fail, hang and are aborted', () => {
  it('calls of one key never overlap, and at most `concurrency` calls run', async () => {
    await always(options, ({ calls, subscription }, { concurrency = 16, order }) => {
      for (const { key, beside } of calls) {
        expect(beside).not.toContain(key);
        expect(beside.length).toBeLessThan(order === 'target' ? 1 : concurrency);
      }
      expect(subscription.pending).toBe(0);
    });
  });

  it('every: each event is delivered until a call succeeds or its attempts are exhausted', async () => {
    await always(only({ delivery: 'every' }), ({ arrivals, calls, failures }, chosen) => {
      for (const { event } of arrivals) {
        const runs = runsOf(calls.filter((call) => call.event === event));
        for (const run of runs) {
          expect(run.map(({ attempt }) => attempt)).toEqual(run.map((_, index) => index + 1));
          expect(run.slice(0, -1).every((call) => hasFailed(call))).toBe(true);
        }
        const exhausted = runs.filter((run) => hasFailed(run.at(-1) as Call));
        expect(exhausted.every((run) => run.length === chosen.retry?.attempts)).toBe(true);
        expect(failures.filter((failure) => failure.event === event).map((failure) => failure.attempts)).toEqual(
          exhausted.map((run) => run.length),
        );
        expect(runs.length).toBe(chosen.onExhausted === 'halt' ? exhausted.length + 1 : 1);
      }
    });
  });

  it('every: calls of one key, or with order target all calls, start in revision order, retries included', async () => {
    await always(only({ delivery: 'every' }), ({ arrivals, calls }, { order }) => {
      const began = (key: string): unknown[] =>
        distinct(calls.filter((call) => order === 'target' || call.key === key).map(({ event }) => event));
      const came = (key: string): unknown[] =>
        arrivals.map(({ event }) => event).filter((event) => order === 'target' || event.key === key);
      for (const key of 'abcde') {
        if (order === 'none') expect(new Set(began(key))).toEqual(new Set(came(key)));
        else expect(began(key)).toEqual(came(key));
      }
    });
  });

  it('latest: the last state of each key is delivered, and at most one event per key waits', async () => {
    await always(
      only({ delivery: 'latest' }),
      ({ arrivals, calls, cache }) => {
        for (const key of 'abcde') {
          const given = distinct(calls.filter((call) => call.key === key).map(({ event }) => event));
          expect(given.at(-1)?.value?.toString()).toBe(cache.get(key)?.value.toString());
          expect(given.map(({ previous }) => previous?.toString())).toEqual(
            given.map((_, index) => given[index - 1]?.value?.toString()),
          );
          const revisions = given.map(({ revision }) => revision);
          expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
          expect(given.length).toBeLessThanOrEqual(arrivals.filter(({ event }) => event.key === key).length);
        }
      },
      ({ subscription }) => {
        expect(subscription.pending).toBeLessThanOrEqual(2 * 'abcde'.length);
      },
    );
  });

  it('a retry starts after its wait, not before', async () => {
    await always(options, ({ calls }) => {
      for (const call of calls.filter(({ attempt }) => attempt > 1)) {
        const before = calls.filter(
          ({ key, event, to }) => key === call.key && event === call.event && to !== undefined,
        );
        const last = before.filter(({ from, attempt }) => attempt === call.attempt - 1 && from < call.from).at(-1);
        expect(call.from).toBeGreaterThanOrEqual((last?.to ?? Infinity) + BACKOFF_MS);
      }
    });
  });

  it('a signal aborts when its call exceeds its time, not before', async () => {
    await always(options, ({ calls }, { timeoutMs = 0 }) => {
      for (const { from, to = Infinity, abortedAt } of calls) {
        if (abortedAt === undefined) expect(to - from).toBeLessThanOrEqual(timeoutMs);
        else expect(abortedAt - from).toBe(timeoutMs);
      }
    });
  });

  it('a halted listener starts no calls until it is resumed, and continues with the failed event', async () => {
    const halting = only({ delivery: 'every', onExhausted: 'halt', order: 'target' });
    await fc.assert(
      fc.asyncProperty(halting, steps, behaviours, async (chosen, schedule, does) => {
        const simulation = new DeliverySimulation(chosen, does);
        const { subscription, calls } = simulation;
        await simulation.play(schedule.filter((step) => 'change' in step));
        await simulation.clock.runUntil();
        const { halted } = subscription;
        fc.pre(halted !== undefined);
        const before = calls.length;
        await simulation.clock.runUntil();
        expect([calls.length, subscription.paused]).toEqual([before, true]);

        await simulation.finish();
        expect(subscription.halted).toBeUndefined();
        expect(calls[before]).toMatchObject({ event: halted.event, attempt: 1 });
      }),
      RUNS,
    );
  });

  it('debounceMs: a key is delivered in its last state, after it has not changed for that time', async () => {
    const debounced = fc.record({
      debounceMs: fc.integer({ min: 1, max: 40 }),
      concurrency: fc.constant(5),
      timeoutMs: fc.constant(9),
    });
    await always(debounced, ({ arrivals, calls, cache }, { debounceMs = 0 }) => {
      for (const call of calls.filter(({ attempt }) => attempt === 1)) {
        const came = arrivals.filter(({ event }) => event.key === call.key && event.revision <= call.event.revision);
        expect(call.from).toBeGreaterThanOrEqual((came.at(-1)?.at ?? Infinity) + debounceMs);
      }
      for (const key of 'abcde') {
        const last = calls.filter((call) => call.key === key).at(-1);
        expect(last?.event.value?.toString()).toBe(cache.get(key)?.value.toString());
      }
    });
  });

  it('events: only events of the selected type are delivered', async () => {
    const filtered = fc.record({ events: fc.constantFrom('put', 'delete'), timeoutMs: fc.constant(9) });
    await always(filtered, ({ arrivals, calls }, { events }) => {
      const wanted = arrivals.map(({ event }) => event).filter(({ type }) => type === events);
      expect(new Set(calls.map(({ event }) => event))).toEqual(new Set(wanted));
    });
  });

  it('a closed listener starts no calls, and has ended when its running calls have ended', async () => {
    await fc.assert(
      fc.asyncProperty(options, steps, behaviours, async (chosen, schedule, does) => {
        const simulation = new DeliverySimulation(chosen, does);
        const { subscription, calls, clock } = simulation;
        await simulation.play(schedule);
        const [begun, running] = [calls.length, simulation.running.length];
        let runningAtTheEnd: number | undefined;
        const closed = subscription.closed.then(() => (runningAtTheEnd = simulation.running.length));
        await subscription.close();
        await clock.runUntil(clock.now());
        expect(runningAtTheEnd).toBe(running === 0 ? 0 : undefined);

        subscription.abort(new Error('over'));
        await clock.runUntil();
        await closed;
        expect([runningAtTheEnd, calls.length, clock.size, subscription.pending]).toEqual([0, begun, 0, 0]);
      }),
      RUNS,
    );
  });
});

/** Random options, except the given ones. */
const only = (fixed: DeliveryOptions): fc.Arbitrary<DeliveryOptions> => options.map((any) => ({ ...any, ...fixed }));

const hasFailed = ({ behaviour, abortedAt }: Call): boolean => behaviour.fails || abortedAt !== undefined;

/** Splits the calls with one event where the attempts start again from 1. */
function runsOf(calls: readonly Call[]): Call[][] {
  const runs: Call[][] = [];
  for (const call of calls) {
    if (call.attempt === 1) runs.push([]);
    runs.at(-1)?.push(call);
  }
  return runs;
}

const distinct = <T>(list: readonly T[]): T[] => [...new Set(list)];
