import { ClusterLocks, type Fence, LockLostError } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { type BackendOptions, type BackendSource, OPEN_BACKEND } from '../../lib/backend/cluster-backend.js';
import { SYSTEM_LEASE_CLOCK } from '../../lib/backend/lease-clock.js';
import { startApp } from '../support/start-app.js';

/** A machine whose wall clock has advanced although its monotonic clock stood still. */
class SuspendedMachine implements BackendSource {
  readonly fake = new FakeCluster();
  #suspendedMs = 0;

  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }

  [OPEN_BACKEND](options: BackendOptions) {
    const backend = this.fake[OPEN_BACKEND](options);
    const wall = (): number => SYSTEM_LEASE_CLOCK.wall() + this.#suspendedMs;
    return Object.assign(backend, { leaseClock: { ...SYSTEM_LEASE_CLOCK, wall } });
  }
}

describe('a function that runs under a lock while the machine is suspended', () => {
  const run = async (call: (machine: SuspendedMachine, fence: Fence) => void): Promise<unknown> => {
    const machine = new SuspendedMachine();
    await using started = await startApp({ hosts: '', client: machine, coordination: { prefix: '/co' } });
    return await started.app.get(ClusterLocks).run('job', (fence) => {
      call(machine, fence);
      return 'done';
    });
  };

  it('has not lost the lock if etcd still has it', async () => {
    const held: boolean[] = [];
    const result = await run((machine, fence) => {
      machine.suspend(5_000);
      held.push(fence.held);
    });

    expect([result, held]).toEqual(['done', [false]]);
  });

  it.each<[string, (machine: SuspendedMachine) => void]>([
    [
      'its key was deleted',
      ({ fake }) => {
        for (const key of fake.keys('/co/v1/locks/')) fake.delete(key);
      },
    ],
    [
      'etcd is away',
      ({ fake }) => {
        fake.disconnect();
      },
    ],
  ])('has lost the lock if %s', async (_, lose) => {
    const result = run((machine) => {
      lose(machine);
      machine.suspend(5_000);
    });

    await expect(result).rejects.toThrow(LockLostError);
  });
});
