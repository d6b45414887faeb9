import { describe, expect, it } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { initialChange } from '../../../lib/store/changes/config-change.js';
import { ConfigListeners } from '../../../lib/store/changes/config-listeners.js';
import { ProjectedConfig } from '../../../lib/store/changes/projected-config.js';
import { ListenerGuard } from '../../../lib/watch/delivery/listener-guard.js';
import { CollectingLogger } from '../../support/collecting-logger.js';

/** A reference to one number, without a store. */
class Source {
  readonly logger = new CollectingLogger();
  readonly counted: string[] = [];
  readonly listeners = new ConfigListeners({
    failed: () => undefined,
    succeeded: () => undefined,
    crowded: () => undefined,
  });
  readonly #guard = new ListenerGuard(new InstanceLog(this.logger, { serviceName: 'test', podName: 'test' }), {
    listenerFailed: (kind) => this.counted.push(kind),
  });
  readonly ref = new ProjectedConfig<number, number>(
    {
      read: () => this.#value,
      isAffectedBy: () => true,
      isPinned: () => false,
      unpinned: (run) => run(),
      listeners: this.listeners,
      guard: this.#guard,
      subject: 'key "/a"',
    },
    (value) => value,
  );
  #value = 1;

  set(value: number): void {
    this.#value = value;
    this.listeners.notify([initialChange('/a', value, value)], Object);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ConfigRef.onChange', () => {
  it('calls the listener with the current value, and then with every later one', async () => {
    const source = new Source();
    const received: number[] = [];
    source.ref.onChange((value) => received.push(value));
    expect(received).toEqual([]);

    await turn();
    source.set(2);
    source.set(2);
    source.set(3);

    expect(received).toEqual([1, 2, 3]);
  });

  it('stops when the subscription is closed, even before or within the first call', async () => {
    const source = new Source();
    const received: number[] = [];
    source.ref.onChange((value) => received.push(value)).close();
    const once = source.ref.onChange((value) => {
      received.push(value);
      once.close();
    });

    await turn();
    source.set(2);

    expect(received).toEqual([1]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new TypeError('CANARY');
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('CANARY'))],
    [
      'returns a thenable that throws',
      () => ({
        then: () => {
          throw new TypeError('CANARY');
        },
      }),
    ],
  ])('logs and counts a listener that %s, and calls it and others again', async (_, fail: () => unknown) => {
    const source = new Source();
    const received: number[] = [];
    source.ref.onChange(fail);
    source.ref.onChange((value) => received.push(value));

    await turn();
    source.set(2);
    await turn();

    expect(received).toEqual([1, 2]);
    expect(source.counted).toEqual(['onChange', 'onChange']);
    expect(source.logger.text).toMatch(/a listener of key "\/a" failed: TypeError at /);
    expect(source.logger.text).not.toContain('CANARY');
  });

  it('rejects a listener that is not a function', () => {
    expect(() => new Source().ref.onChange(undefined as never)).toThrow(InvalidOptionsError);
  });
});
