import { describe, expect, it, vi } from 'vitest';
import { type ChangeBatch, ChangeEvent } from '../../../lib/watch/stream/change-event.js';
import { type DeliveryOptions, resolveDelivery } from '../../../lib/watch/delivery/delivery-options.js';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import type { WatchFailure, WatchHandler } from '../../../lib/watch/watch-event.js';
import { FinalFailure } from '../../../lib/watch/delivery/listener-failure.js';
import { HandlerRunner } from '../../../lib/watch/delivery/handler-runner.js';
import { QueuedSubscription } from '../../../lib/watch/delivery/queued-subscription.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';

/** Builds one revision: `a=1` is a put, `a` is a delete. */
const revision = (number: number, ...changes: string[]): ChangeBatch => ({
  revision: number,
  origin: 'live',
  events: changes.map((change) => {
    const [rawKey = '', value] = change.split('=');
    const record = { rawKey, createRevision: number, version: 1, lease: undefined, revision: number };
    return value === undefined
      ? new ChangeEvent({ rawKey, value, revision: number }, undefined, 'live')
      : new ChangeEvent({ ...record, value: Buffer.from(value) }, undefined, 'live');
  }),
});

const subscribe = (handler: WatchHandler, options: DeliveryOptions = {}) => {
  const logger = new CollectingLogger();
  const failures: WatchFailure[] = [];
  const subscription = new QueuedSubscription(handler, {
    target: '/',
    name: 'Orders.onOrder',
    log: new InstanceLog(logger, { serviceName: 's', podName: 'p' }),
    delivery: resolveDelivery(options, {}, 'event'),
    onResync: undefined,
    onError: [(failure) => failures.push(failure)],
    onEnd: () => undefined,
  });
  subscription.listed();
  return { subscription, failures, logger };
};

describe('QueuedSubscription', () => {
  it('retries an event whose delivery fails unexpectedly, keeps the order, and logs it once', async () => {
    const call = vi.spyOn(HandlerRunner.prototype, 'call').mockImplementationOnce(() => {
      throw new RangeError('a value that must not be logged');
    });
    const seen: string[] = [];
    const { subscription, logger } = subscribe({ event: ({ revision: at }) => seen.push(String(at)) });
    subscription.deliver(revision(1, 'a=1'), undefined);
    subscription.deliver(revision(2, 'a=2'), undefined);
    await eventually(() => seen.length === 2);
    call.mockRestore();

    expect(seen).toEqual(['1', '2']);
    expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'log']);
    expect(logger.text).toContain('Orders.onOrder: delivery failed unexpectedly and is retried: RangeError at ');
    expect(logger.text).not.toContain('must not be logged');
  });

  it('delivers only the selected type of events', async () => {
    const seen: string[] = [];
    const { subscription } = subscribe({ event: ({ type, key }) => seen.push(`${type} ${key}`) }, { events: 'delete' });
    subscription.deliver(revision(1, 'a=1', 'b'), undefined);
    subscription.deliver(revision(2, 'c=1'), undefined);

    await eventually(() => seen.length > 0);
    expect([seen, subscription.pending]).toEqual([['delete b'], 0]);
  });

  it('starts no calls while it is paused, and then continues with the waiting events', async () => {
    const seen: string[] = [];
    const { subscription } = subscribe({ event: ({ key }) => seen.push(key) });
    subscription.pause();
    subscription.deliver(revision(1, 'a=1', 'b=1'), undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect([seen, subscription.pending, subscription.paused]).toEqual([[], 2, true]);

    subscription.resume();
    expect([seen, subscription.pending, subscription.paused]).toEqual([['a', 'b'], 0, false]);
  });

  it('reports the event of a failed call to onError', async () => {
    const error = new Error('no');
    const { subscription, failures } = subscribe({ event: () => Promise.reject(error) });
    const batch = revision(7, 'a=1');
    subscription.deliver(batch, undefined);

    await eventually(() => failures.length === 1);
    expect(failures).toEqual([
      { event: batch.events[0], batch: undefined, handler: 'Orders.onOrder', attempts: 1, error },
    ]);
  });

  it('does not retry a final failure, reports its original error and logs its message', async () => {
    const error = new Error('a secret');
    const { subscription, failures, logger } = subscribe(
      {
        event: () => Promise.reject(new FinalFailure(error, 'a guard denied it')),
      },
      { retry: { attempts: 3 } },
    );
    subscription.deliver(revision(7, 'a=1'), undefined);

    await eventually(() => failures.length === 1);
    expect(failures[0]).toMatchObject({ error, attempts: 1 });
    expect(logger.text).toMatch(/Orders.onOrder failed for key "a" at revision 7: a guard denied it/);
  });

  it('logs the message of an error of this library, and of no other', async () => {
    const { subscription, failures, logger } = subscribe({
      event: ({ key }) =>
        Promise.reject(key === 'a' ? new InvalidOptionsError('a definition is missing') : new Error('a secret')),
    });
    subscription.deliver(revision(7, 'a=1', 'b=1'), undefined);

    await eventually(() => failures.length === 2);
    expect(logger.text).toMatch(/failed for key "a" at revision 7: InvalidOptionsError at .*: a definition is missing/);
    expect(logger.text).not.toContain('a secret');
  });

  it('gives each pending call a separate signal, which the subscription aborts', async () => {
    const signals: AbortSignal[] = [];
    const { subscription } = subscribe({
      event: async (_event, { signal }) => {
        signals.push(signal);
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
      },
    });
    subscription.deliver(revision(1, 'a=1', 'b=1'), undefined);
    await eventually(() => signals.length === 2);
    expect(signals[0]).not.toBe(signals[1]);

    subscription.abort('over');
    await eventually(() => subscription.pending === 0);
    expect(signals.map(({ reason }: { reason: unknown }) => reason)).toEqual(['over', 'over']);
  });
});
