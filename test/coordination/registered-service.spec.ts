import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterServices, type EtcdTriggerError } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { startApp } from '../support/start-app.js';

const KEY = '/co/v1/services/app/one';

async function start() {
  const fake = new FakeCluster();
  const started = await startApp({ hosts: '', client: fake, coordination: { prefix: '/co' } });
  const registration = await started.app.get(ClusterServices).register('app', { port: 1 }, { id: 'one' });
  /** Returns the error with which an update fails. */
  const update = (port: number): Promise<unknown> =>
    registration.update({ port }).then(
      () => undefined,
      (error: unknown) => (error as EtcdTriggerError).code,
    );
  return { fake, update, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}

describe('an update of a registration that etcd refuses', () => {
  it('fails, also while another one waits, and keeps the former data', async () => {
    await using started = await start();
    const { fake, update } = started;
    fake.deny(KEY);
    const updates = Promise.all([update(2), update(3)]);

    expect(await Promise.race([updates, sleep(10_000)])).toEqual(['ETCD_PERMISSION_DENIED', 'ETCD_PERMISSION_DENIED']);
    expect(fake.json(KEY)).toEqual({ port: 1 });
  });

  it('is repeated, and the next one is made at once', async () => {
    await using started = await start();
    const { fake, update } = started;
    fake.deny(KEY);
    // From the fourth on, the next attempt follows after some seconds.
    for (const port of [2, 3, 4, 5, 6]) expect(await update(port)).toBe('ETCD_PERMISSION_DENIED');
    fake.allow();
    const begin = performance.now();
    expect(await update(7)).toBe(undefined);

    expect(performance.now() - begin).toBeLessThan(4_000);
    expect(fake.json(KEY)).toMatchObject({ port: 7 });
  });
});
