import { describe, expect, it } from 'vitest';
import { runBackpressure } from './backpressure/backpressure-run.js';

/** `npm run backpressure` runs the same with a million events. */
const EVENTS = 40_000;
const LIMIT_BYTES = 32_000_000;
/** The waiting events, and the one whose call never ends. */
const QUEUE = 1_001;

describe('a listener that hangs while tens of thousands of events arrive', () => {
  it('uses no memory, delays neither the store nor others, and receives all events when it continues', async () => {
    const { memory, pending, delays, neighbour, keys, first, expected } = await runBackpressure({
      events: EVENTS,
      mode: 'stuck',
    });

    expect(memory).toBeLessThan(LIMIT_BYTES);
    expect(pending).toBeLessThanOrEqual(QUEUE);
    expect(neighbour).toMatchObject({ events: expected, faults: 0, resyncs: 0 });
    expect(keys).toBe(1_001);
    expect(delays.store.length).toBe(delays.neighbour.length);
    expect(delays.elsewhere.length).toBeGreaterThan(0);
    expect(first).toMatchObject({ events: expected, faults: 0, resyncs: 0 });
  });

  it('receives one resync when it continues, if etcd has compacted the missed revisions', async () => {
    const { neighbour, first, expected } = await runBackpressure({ events: EVENTS / 2, mode: 'stuck', compact: true });

    expect(neighbour).toMatchObject({ events: expected, faults: 0, resyncs: 0 });
    expect(first).toMatchObject({ resyncs: 1, faults: 0, revision: neighbour.revision });
    expect(first.events).toBeLessThan(expected);
  });
});
