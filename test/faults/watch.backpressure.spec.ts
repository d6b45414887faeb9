import { describe, expect, it } from 'vitest';
import { runBackpressure } from './backpressure/backpressure-run.js';

/** A million events are as little as these: `npm run backpressure`. */
const EVENTS = 40_000;
const LIMIT_BYTES = 32_000_000;
/** Waiting, and the one whose call never ends. */
const QUEUE = 1_001;

describe('a listener that is stuck while tens of thousands of events pass', () => {
  it('costs no memory, delays neither the store nor any other listener, and gets everything when it wakes', async () => {
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

  it('gets one resync when it wakes, where etcd has compacted what it has not seen', async () => {
    const { neighbour, first, expected } = await runBackpressure({ events: EVENTS / 2, mode: 'stuck', compact: true });

    expect(neighbour).toMatchObject({ events: expected, faults: 0, resyncs: 0 });
    expect(first).toMatchObject({ resyncs: 1, faults: 0, revision: neighbour.revision });
    expect(first.events).toBeLessThan(expected);
  });
});
