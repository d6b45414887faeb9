import { describe, expect, it } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { type DeliveryOptions, resolveDelivery } from '../../../lib/watch/delivery/delivery-options.js';

describe('delivery options', () => {
  it('have the defaults that are documented', () => {
    expect(resolveDelivery({}, {}, 'event')).toEqual({
      order: 'key',
      concurrency: 16,
      delivery: 'every',
      attempts: 1,
      backoff: { initialMs: 100, maxMs: 30_000 },
      timeoutMs: undefined,
      onExhausted: 'skip',
      events: 'both',
      debounceMs: 0,
    });
  });

  it('count before those of the module', () => {
    const moduleWide: DeliveryOptions = { order: 'target', retry: { attempts: 5 }, timeoutMs: 1_000 };
    const resolved = resolveDelivery({ order: 'none', concurrency: 2 }, moduleWide, 'event');

    expect(resolved).toMatchObject({ order: 'none', concurrency: 2, attempts: 5, timeoutMs: 1_000 });
  });

  it('coalesce what is debounced, unless a handler says every', () => {
    const of = (own: DeliveryOptions, moduleWide: DeliveryOptions = {}): unknown[] => {
      const { delivery, debounceMs } = resolveDelivery(own, moduleWide, 'event');
      return [delivery, debounceMs];
    };

    expect(of({ debounceMs: 50 })).toEqual(['latest', 50]);
    expect(of({ debounceMs: 50 }, { delivery: 'every' })).toEqual(['latest', 50]);
    expect(of({ delivery: 'every' }, { debounceMs: 50 })).toEqual(['every', 0]);
    expect(of({ delivery: 'latest' }, { debounceMs: 50 })).toEqual(['latest', 50]);
    expect(of({}, { delivery: 'latest' })).toEqual(['latest', 0]);
  });

  it('hand over batches one at a time, whatever the module says of events', () => {
    const moduleWide: DeliveryOptions = { order: 'none', delivery: 'latest', debounceMs: 50, retry: { attempts: 3 } };

    expect(resolveDelivery({}, moduleWide, 'batch')).toMatchObject({
      order: 'target',
      concurrency: 1,
      delivery: 'every',
      debounceMs: 0,
      attempts: 3,
    });
  });

  it.each<[string, object, 'event' | 'batch', string]>([
    ['an order', { order: 'any' }, 'event', `"order" must be one of 'key', 'target', 'none'`],
    ['a concurrency', { concurrency: 0 }, 'event', '"concurrency" must be an integer of at least 1'],
    ['a delivery', { delivery: 'some' }, 'event', `"delivery" must be one of 'every', 'latest'`],
    ['a retry', { retry: 3 }, 'event', '"retry" is { attempts, backoff? }, as { attempts: 3 }'],
    ['attempts', { retry: { attempts: 1.5 } }, 'event', '"retry.attempts" must be an integer of at least 1'],
    [
      'a backoff',
      { retry: { attempts: 2, backoff: { initialMs: 50, maxMs: 10 } } },
      'event',
      '"retry.backoff.maxMs" must be a number of milliseconds from 50 to 2147483647',
    ],
    ['a time', { timeoutMs: 0 }, 'event', '"timeoutMs" must be a number of milliseconds from 1 to 2147483647'],
    ['an end', { onExhausted: 'stop' }, 'event', `"onExhausted" must be one of 'skip', 'halt'`],
    ['a kind of events', { events: 'all' }, 'event', `"events" must be one of 'put', 'delete', 'both'`],
    ['a rest', { debounceMs: -1 }, 'event', '"debounceMs" must be a number of milliseconds from 0 to 2147483647'],
    [
      'every last state',
      { delivery: 'every', debounceMs: 5 },
      'event',
      '"debounceMs" hands over last states only: leave out "delivery"',
    ],
    [
      'latest batches',
      { delivery: 'latest' },
      'batch',
      '"delivery" is for events: batches come whole and one at a time',
    ],
  ])('refuse %s that cannot be, in one sentence', (_, options, kind, sentence) => {
    const resolving = (): unknown => resolveDelivery(options, {}, kind);
    expect(resolving).toThrow(InvalidOptionsError);
    expect(resolving).toThrow(sentence);
  });
});
