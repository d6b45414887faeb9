import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryQueue } from '../../lib/watch/delivery-queue.js';

interface Item {
  readonly lane: string;
  readonly number: number;
}

/** A queue whose calls end when the test says so. */
function startQueue({ concurrency = 4, bound = 10 } = {}) {
  const running: { item: Item; end: (failed: boolean) => Promise<void> }[] = [];
  const started: Item[] = [];
  const ended: Item[] = [];
  const failed: Item[] = [];
  let roomAgain = 0;
  const queue = new DeliveryQueue<Item>({
    call: (item) => {
      started.push(item);
      return new Promise<void>((resolve, reject) => {
        const call = {
          item,
          end: async (fails: boolean) => {
            running.splice(running.indexOf(call), 1);
            if (fails) reject(new Error('failed'));
            else resolve();
            await new Promise((settled) => setImmediate(settled));
          },
        };
        running.push(call);
      });
    },
    failed: (item) => failed.push(item),
    done: (item) => ended.push(item),
    laneOf: ({ lane }) => lane,
    weightOf: () => 1,
    concurrency,
    bound,
    roomAgain: () => (roomAgain += 1),
  });
  return { queue, running, started, ended, failed, roomAgain: () => roomAgain };
}

describe('the queue of a listener', () => {
  it('calls nothing before it is started, and then in order', () => {
    const { queue, started } = startQueue();
    for (const lane of ['a', 'b', 'c']) queue.push({ lane, number: 0 });
    expect(started).toEqual([]);
    queue.start();
    expect(started.map(({ lane }) => lane)).toEqual(['a', 'b', 'c']);
  });

  it('keeps order in each lane, never runs one twice at once, stays within its concurrency, and loses nothing, whatever happens', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ push: fc.constantFrom('a', 'b', 'c', 'd', 'e') }),
        fc.record({ end: fc.nat(), fails: fc.boolean() }),
      ),
      { maxLength: 80 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (schedule, concurrency) => {
        const { queue, running, started, ended, failed } = startQueue({ concurrency, bound: 1_000 });
        queue.start();
        const pushed: Item[] = [];
        for (const step of schedule) {
          if ('push' in step) {
            const item = { lane: step.push, number: pushed.length };
            pushed.push(item);
            queue.push(item);
          } else if (running.length > 0) {
            await running[step.end % running.length]?.end(step.fails);
          }
          expect(running.length).toBeLessThanOrEqual(concurrency);
          expect(new Set(running.map(({ item }) => item.lane)).size).toBe(running.length);
          expect(queue.pending).toBe(pushed.length - ended.length);
        }
        while (running.length > 0) await running[0]?.end(false);

        expect(ended.length).toBe(pushed.length);
        expect(new Set(ended)).toEqual(new Set(pushed));
        expect(failed.every((item) => ended.includes(item))).toBe(true);
        for (const lane of 'abcde') {
          const of = (items: Item[]): number[] =>
            items.filter((item) => item.lane === lane).map(({ number }) => number);
          expect(of(started)).toEqual(of(pushed));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has room up to its bound, admits a heavier item when nothing waits, and says when half of it is free again', async () => {
    const { queue, running, roomAgain } = startQueue({ concurrency: 1, bound: 4 });
    queue.start();
    expect(queue.hasRoom(100)).toBe(true);
    for (let number = 0; number < 5; number += 1) queue.push({ lane: 'a', number });
    expect(queue.hasRoom(1)).toBe(false);
    await running[0]?.end(false);
    expect([queue.hasRoom(1), roomAgain()]).toEqual([true, 0]);
    await running[0]?.end(false);
    expect(roomAgain()).toBe(1);
  });

  it('starts nothing after it was closed, and is idle when the calls that run have ended', async () => {
    const { queue, running, started } = startQueue({ concurrency: 1 });
    queue.start();
    queue.push({ lane: 'a', number: 0 });
    queue.push({ lane: 'a', number: 1 });
    queue.close();
    let idle = false;
    const waiting = queue.idle().then(() => (idle = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(idle).toBe(false);
    await running[0]?.end(false);
    await waiting;
    queue.push({ lane: 'b', number: 2 });

    expect(started.length).toBe(1);
  });
});
