import { firstValueFrom, map, type Observable, Subject, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { GuardedObservable } from '../../../lib/watch/delivery/guarded-observable.js';
import { ListenerGuard } from '../../../lib/watch/delivery/listener-guard.js';
import { CollectingLogger } from '../../support/collecting-logger.js';

class Broken extends Error {}

/** Emits what the test sends, and counts the failures of subscribers. */
class Source {
  readonly logger = new CollectingLogger();
  readonly counted: string[] = [];
  readonly #values = new Subject<number>();
  readonly #guard = new ListenerGuard(new InstanceLog(this.logger, { serviceName: 'test', podName: 'test' }), {
    listenerFailed: (kind) => this.counted.push(kind),
  });
  readonly values$: Observable<number> = new GuardedObservable(
    (call) => {
      this.#guard.call('changes$', () => 'a subscriber failed', call);
    },
    (subscriber) => this.#values.subscribe(subscriber),
  );

  send(...values: number[]): void {
    for (const value of values) this.#values.next(value);
  }
}

const failAtTwo =
  (received: number[]) =>
  (value: number): number => {
    if (value === 2) throw new Broken('CANARY');
    received.push(value);
    return value;
  };

/** Errors that RxJS throws in a timer, and rejections that nobody handles, fail the test run. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe('a subscriber of a guarded observable', () => {
  it('that throws is logged and counted, and receives the next value', async () => {
    const source = new Source();
    const received: number[] = [];
    const other: number[] = [];
    source.values$.subscribe(failAtTwo(received));
    source.values$.subscribe((value) => other.push(value));

    source.send(1, 2, 3);
    await settled();

    expect([received, other]).toEqual([
      [1, 3],
      [1, 2, 3],
    ]);
    expect(source.counted).toEqual(['changes$']);
    expect(source.logger.text).toMatch(/a subscriber failed: Broken at .*guarded-observable\.spec\.ts/);
    expect(source.logger.text).not.toContain('CANARY');
  });

  it('that is asynchronous and rejects is logged and counted', async () => {
    const source = new Source();
    const rejecting = async (value: number): Promise<void> => {
      await Promise.resolve();
      throw new Broken(String(value));
    };
    source.values$.subscribe({ next: (value) => rejecting(value) as unknown as undefined });

    source.send(1, 2);
    await settled();

    expect(source.counted).toEqual(['changes$', 'changes$']);
  });

  it('behind an operator that throws ends, and without an error handler this is logged', async () => {
    const source = new Source();
    const received: number[] = [];
    source.values$.pipe(map(failAtTwo([]))).subscribe((value) => received.push(value));

    source.send(1, 2, 3);
    await settled();

    expect(received).toEqual([1]);
    expect(source.counted).toEqual(['changes$']);
    expect(source.logger.text).toMatch(/a subscriber failed: Broken at /);
  });

  it('behind an operator that throws receives the error in its error handler', async () => {
    const source = new Source();
    const errors: unknown[] = [];
    source.values$.pipe(map(failAtTwo([]))).subscribe({ error: (error: unknown) => errors.push(error) });

    source.send(1, 2, 3);
    await settled();

    expect(errors).toEqual([expect.any(Broken)]);
    expect(source.counted).toEqual([]);
  });

  it('behind operators that throws is logged and counted', async () => {
    const source = new Source();
    const received: number[] = [];
    source.values$.pipe(map((value) => value)).subscribe({ next: failAtTwo(received) });

    source.send(1, 2, 3);
    await settled();

    expect(received).toEqual([1, 3]);
    expect(source.counted).toEqual(['changes$']);
  });

  it('completes and unsubscribes as in RxJS', async () => {
    const source = new Source();
    const all = firstValueFrom(source.values$.pipe(take(2), toArray()));
    const received: number[] = [];
    const subscription = source.values$.subscribe((value) => received.push(value));

    source.send(1, 2);
    subscription.unsubscribe();
    source.send(3);

    expect(await all).toEqual([1, 2]);
    expect(received).toEqual([1, 2]);
  });
});
