import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { leastGrowth } from '../../support/heap.js';
import { openBackend } from '../contract/open-backend.js';

describe('the connection of an application with a fake', () => {
  it('keeps nothing of a watch that has ended', async () => {
    using backend = openBackend(new FakeCluster());
    const range = KeyRange.of({ prefix: '/app/' });
    const watch = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) {
        const stream = backend.listWatcher.watch(range, 1, { fragment: false, mayPause: false });
        stream.cancel();
        await stream.ended;
      }
    };

    expect(await leastGrowth(watch, 1_000)).toBeLessThan(250);
  });
});
