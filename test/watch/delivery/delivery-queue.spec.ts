import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryQueue, type CallOutcome } from '../../../lib/watch/delivery/delivery-queue.js';
import { VirtualClock } from '../../support/virtual-clock.js';

interface Item {
  readonly lane: string;
  readonly number: number;
}

/** A queue whose calls end when the test ends them, with the given outcome. */
function startQueue({ concurrency = 4, bound = 10, keepsOrder = true } = {}) {
  const running: { item: Item; attempt: number; end: (outcome?: CallOutcome) => Promise<void> }[] = [];
  const started: Item[] = [];
  const ended: Item[] = [];
  const clock = new VirtualClock();
  let onDrain = 0;
  const queue = new DeliveryQueue<Item>({
    call: (item, attempt) => {
      started.push(item);
      const outcome = new Promise<CallOutcome>((resolve) => {
        const call = {
          item,
          attempt,
          end: async (outcome: CallOutcome = 'done') => {
            running.splice(running.indexOf(call), 1);
            resolve(outcome);
            await clock.runUntil(clock.now());
          },
        };
        running.push(call);
      });
      return {
        whenEnded: (ended) => {
          void outcome.then(ended);
        },
      };
    },
    onFailure: () => undefined,
    onRecovered: () => undefined,
    done: (item) => ended.push(item),
    laneOf: ({ lane }) => lane,
    keepsOrder,
    weightOf: () => 1,
    concurrency,
    bound,
    backoff: () => 5,
    clock,
    onDrain: () => (onDrain += 1),
  });
  return { queue, running, started, ended, clock, onDrain: () => onDrain };
}

describe('DeliveryQueue', () => {
  it('starts no calls before it is started, and then calls its items in order', () => {
    const { queue, started } = startQueue();
    for (const lane of ['a', 'b', 'c']) queue.push({ lane, number: 0 });
    expect(started).toEqual([]);
    queue.start();
    expect(started.map(({ lane }) => lane)).toEqual(['a', 'b', 'c']);
  });

  it('keeps its bound and loses no item, for any sequence of items, retries, holds, pauses and resumes', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ push: fc.constantFrom('a', 'b', 'c', 'd', 'e') }) },
        { weight: 3, arbitrary: fc.record({ end: fc.nat(), outcome: fc.constantFrom('done', 'retry', 'hold') }) },
        { weight: 1, arbitrary: fc.constantFrom('pause', 'resume', 'wait') },
      ),
      { maxLength: 80 },
    ) as fc.Arbitrary<({ push: string } | { end: number; outcome: CallOutcome } | 'pause' | 'resume' | 'wait')[]>;
    const limits = fc.record({
      concurrency: fc.integer({ min: 1, max: 5 }),
      bound: fc.integer({ min: 1, max: 8 }),
      keepsOrder: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(steps, limits, async (schedule, { concurrency, bound, keepsOrder }) => {
        const { queue, running, ended, clock, onDrain } = startQueue({ concurrency, bound, keepsOrder });
        queue.start();
        const pushed: Item[] = [];
        let rejected = false;
        for (const step of schedule) {
          if (step === 'wait') await clock.runUntil();
          else if (typeof step === 'string') queue[step]();
          else if ('end' in step) await running[step.end % running.length]?.end(step.outcome);
          else if (queue.canAccept(1)) {
            pushed.push({ lane: step.push, number: pushed.length });
            queue.push(pushed.at(-1) as Item);
          } else rejected = true;
          expect(running.length).toBeLessThanOrEqual(concurrency);
          expect(new Set(running.map(({ item }) => item.lane)).size).toBe(running.length);
          expect(queue.pending).toBe(pushed.length - ended.length);
          // A failed item waits again, in addition to the items that were accepted during its call.
          expect(queue.pending - running.length).toBeLessThanOrEqual(bound + concurrency);
        }
        queue.resume();
        await clock.runUntil();
        while (running.length > 0) {
          await running[0]?.end();
          await clock.runUntil();
        }

        expect(ended.length).toBe(pushed.length);
        expect(new Set(ended)).toEqual(new Set(pushed));
        if (rejected) expect(onDrain()).toBeGreaterThan(0);
        for (const lane of keepsOrder ? 'abcde' : '') {
          const of = (items: Item[]): number[] =>
            items.filter((item) => item.lane === lane).map(({ number }) => number);
          expect(of(ended)).toEqual(of(pushed));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('accepts items up to its bound, a heavier one when it is empty, and drains when half is free', async () => {
    const { queue, running, onDrain } = startQueue({ concurrency: 1, bound: 4 });
    queue.start();
    expect(queue.canAccept(100)).toBe(true);
    for (let number = 0; number < 5; number += 1) queue.push({ lane: 'a', number });
    expect(queue.canAccept(1)).toBe(false);
    await running[0]?.end();
    expect([queue.canAccept(1), onDrain()]).toEqual([true, 0]);
    await running[0]?.end();
    expect(onDrain()).toBe(1);
  });

  it('lets items of other lanes overtake a retry, and items of its lane only if no order is kept', async () => {
    const order = async (keepsOrder: boolean): Promise<string[]> => {
      const { queue, running, started, clock } = startQueue({ concurrency: 1, keepsOrder });
      queue.start();
      for (const [lane, number] of [
        ['a', 1],
        ['a', 2],
        ['b', 3],
      ] as const)
        queue.push({ lane, number });
      await running[0]?.end('retry');
      while (running.length > 0) await running[0]?.end();
      await clock.runUntil();
      expect(running.map(({ attempt }) => attempt)).toEqual([2]);
      while (running.length > 0) await running[0]?.end();
      return started.map(({ lane, number }) => `${lane}${number}`);
    };

    expect(await order(true)).toEqual(['a1', 'b3', 'a1', 'a2']);
    expect(await order(false)).toEqual(['a1', 'a2', 'b3', 'a1']);
  });

  it('starts with the held item when it is resumed', async () => {
    const { queue, running, started } = startQueue({ concurrency: 2 });
    queue.start();
    for (const lane of ['a', 'b', 'c']) queue.push({ lane, number: 0 });
    queue.pause();
    await running[0]?.end('hold');
    await running[0]?.end();
    expect(started.length).toBe(2);

    queue.resume();
    expect(started.map(({ lane }) => lane)).toEqual(['a', 'b', 'a', 'c']);
  });

  it('starts no calls after it is closed, and is idle when the running calls have ended', async () => {
    const { queue, running, started, clock } = startQueue({ concurrency: 2 });
    queue.start();
    for (const [lane, number] of [
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ] as const)
      queue.push({ lane, number });
    await running[0]?.end('retry');
    queue.close();
    expect(clock.size).toBe(0);
    let idle = false;
    const waiting = queue.idle().then(() => (idle = true));
    await clock.runUntil();
    expect(idle).toBe(false);
    await running[0]?.end('retry');
    await waiting;
    queue.push({ lane: 'b', number: 4 });

    expect([started.length, queue.pending]).toEqual([2, 0]);
  });
});
