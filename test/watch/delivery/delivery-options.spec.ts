import { describe, expect, it } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { type DeliveryOptions, resolveDelivery } from '../../../lib/watch/delivery/delivery-options.js';

describe('resolveDelivery', () => {
  it('fills in the documented defaults', () => {
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

  it('prefers the options of the handler to those of the module', () => {
    const moduleWide: DeliveryOptions = { order: 'target', retry: { attempts: 5 }, timeoutMs: 1_000 };
    const resolved = resolveDelivery({ order: 'none', concurrency: 2 }, moduleWide, 'event');

    expect(resolved).toMatchObject({ order: 'none', concurrency: 2, attempts: 5, timeoutMs: 1_000 });
  });

  it('coalesces debounced events, unless the handler has delivery: every', () => {
    const coalescing = (own: DeliveryOptions, moduleWide: DeliveryOptions = {}): unknown[] => {
      const { delivery, debounceMs } = resolveDelivery(own, moduleWide, 'event');
      return [delivery, debounceMs];
    };

    expect(coalescing({ debounceMs: 50 })).toEqual(['latest', 50]);
    expect(coalescing({ debounceMs: 50 }, { delivery: 'every' })).toEqual(['latest', 50]);
    expect(coalescing({ delivery: 'every' }, { debounceMs: 50 })).toEqual(['every', 0]);
    expect(coalescing({ delivery: 'latest' }, { debounceMs: 50 })).toEqual(['latest', 50]);
    expect(coalescing({}, { delivery: 'latest' })).toEqual(['latest', 0]);
  });

  it('delivers batches one at a time, whatever the options of the module are', () => {
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
    ['an unknown order', { order: 'any' }, 'event', `"order" must be one of 'key', 'target', 'none'`],
    ['no concurrency', { concurrency: 0 }, 'event', '"concurrency" must be an integer of at least 1'],
    ['an unknown delivery', { delivery: 'some' }, 'event', `"delivery" must be one of 'every', 'latest'`],
    [
      'a retry that is a number',
      { retry: 3 },
      'event',
      '"retry" must be { attempts, backoff? }, for example { attempts: 3 }',
    ],
    [
      'a fraction of attempts',
      { retry: { attempts: 1.5 } },
      'event',
      '"retry.attempts" must be an integer of at least 1',
    ],
    [
      'a backoff that shrinks',
      { retry: { attempts: 2, backoff: { initialMs: 50, maxMs: 10 } } },
      'event',
      '"retry.backoff.maxMs" must be a number of milliseconds from 50 to 2147483647',
    ],
    ['no time limit', { timeoutMs: 0 }, 'event', '"timeoutMs" must be a number of milliseconds from 1 to 2147483647'],
    ['an unknown onExhausted', { onExhausted: 'stop' }, 'event', `"onExhausted" must be one of 'skip', 'halt'`],
    ['an unknown type of events', { events: 'all' }, 'event', `"events" must be one of 'put', 'delete', 'both'`],
    [
      'a negative debounce time',
      { debounceMs: -1 },
      'event',
      '"debounceMs" must be a number of milliseconds from 0 to 2147483647',
    ],
    [
      'every event of a debounced handler',
      { delivery: 'every', debounceMs: 5 },
      'event',
      `"debounceMs" implies "delivery": 'latest': remove "delivery"`,
    ],
    [
      'the latest batches',
      { delivery: 'latest' },
      'batch',
      '"delivery" does not apply to batches: they are delivered whole, one at a time, in revision order',
    ],
  ])('rejects %s with one sentence', (_name, options, kind, sentence) => {
    const resolving = (): unknown => resolveDelivery(options, {}, kind);
    expect(resolving).toThrow(InvalidOptionsError);
    expect(resolving).toThrow(sentence);
  });
});
