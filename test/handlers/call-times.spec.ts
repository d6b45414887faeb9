import { describe, expect, it } from 'vitest';
import { CallTimes } from '../../lib/handlers/call-times.js';
import type { DeliveryContext, WatchEvent } from '../../lib/watch/watch-event.js';
import { Deferred } from '../../lib/timing/deferred.js';

const CONTEXT = {} as DeliveryContext;

/** Returns the measured handler and its times. */
function measured(handle: () => unknown) {
  const times = new CallTimes();
  const handler = times.of({ event: handle });
  if (!('event' in handler)) throw new Error('the handler of events became one of batches');
  return { times, call: () => handler.event({} as WatchEvent, CONTEXT) };
}

describe('the times of calls', () => {
  it('include each asynchronous call, from its start to its end', async () => {
    const ends = [new Deferred(), new Deferred()];
    let next = 0;
    const { times, call } = measured(() => ends[next++]?.promise);
    const calls = [call(), call()];
    expect(times).toMatchObject({ calls: 0, ms: 0 });

    for (const end of ends) end.resolve();
    await Promise.all(calls);
    expect(times.calls).toBe(2);
    expect(times.ms).toBeGreaterThan(0);
  });

  it('include a rejected call, whose error the caller gets', async () => {
    const { times, call } = measured(() => Promise.reject(new Error('failed')));

    await expect(call()).rejects.toThrow('failed');
    expect(times.calls).toBe(1);
  });

  it('include one of sixteen calls that end synchronously', () => {
    const { times, call } = measured(() => undefined);
    for (let index = 0; index < 160; index += 1) call();

    expect(times.calls).toBe(10);
  });

  it('include a call that throws', () => {
    const { times, call } = measured(() => {
      throw new Error('failed');
    });

    expect(call).toThrow('failed');
    expect(times.calls).toBe(1);
  });

  it('call a lazy thenable once', async () => {
    let started = 0;
    const { call } = measured(() => ({
      then: (resolve: () => void) => {
        started += 1;
        resolve();
      },
    }));
    await call();

    expect(started).toBe(1);
  });
});
