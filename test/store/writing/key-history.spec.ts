import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstChangeAfter, lastLifeBefore } from '../../../lib/store/writing/key-history.js';
import { SimulatedEtcd } from '../../support/simulated-etcd.js';

/** A key and its neighbour: put, deleted, or only the neighbour written. */
const steps = fc.array(fc.constantFrom('put', 'delete', 'elsewhere'), { maxLength: 60 });

function etcdAfter(actions: readonly string[]): {
  etcd: SimulatedEtcd;
  readAt: Parameters<typeof firstChangeAfter>[2];
  reads: () => number;
} {
  const etcd = new SimulatedEtcd();
  const write = (rawKey: string): void =>
    void etcd.apply({ what: 'put', operations: [{ type: 'put', rawKey, value: Buffer.from('') }] });
  for (const action of actions) {
    if (action === 'put') write('key');
    else if (action === 'elsewhere') write('other');
    else etcd.apply({ what: 'delete', operations: [{ type: 'delete', rawKey: 'key' }] });
  }
  let reads = 0;
  const readAt = (revision: number) => {
    reads += 1;
    return Promise.resolve(etcd.read('key', revision));
  };
  return { etcd, readAt, reads: () => reads };
}

describe('the past of a key', () => {
  it('shows the first change after a write with a few reads, however many revisions lie between', async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, async (before, after) => {
        const { etcd, readAt, reads } = etcdAfter([...before, 'put', ...after]);
        const revisions = Array.from({ length: etcd.revision }, (_, index) => index + 1);
        const own = revisions.filter((revision) => etcd.read('key', revision)?.revision === revision);
        const written = own[before.filter((action) => action === 'put').length] ?? 0;
        const expected = revisions.find((at) => at > written && etcd.read('key', at)?.revision !== written);
        if (expected === undefined) return;

        expect(await firstChangeAfter(written, etcd.revision, readAt)).toBe(expected);
        expect(reads()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(etcd.revision)) + 2);
      }),
    );
  });

  it('shows what was last there before it was deleted, if that lived longer than it is gone', async () => {
    const lives = fc.array(fc.constantFrom('put', 'elsewhere'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(lives, fc.nat(60), async (life, since) => {
        const quiet = Array.from({ length: since }, () => 'elsewhere');
        const { etcd, readAt } = etcdAfter(['put', ...life, 'delete', ...quiet]);
        const last = etcd.read('key', etcd.revision - since - 1);
        const found = await lastLifeBefore(etcd.revision, readAt);

        if (found || life.length > since) expect(found).toEqual(last);
      }),
    );
  });

  it('is empty where there was none', async () => {
    const { etcd, readAt } = etcdAfter(['elsewhere', 'elsewhere']);

    expect(await lastLifeBefore(etcd.revision, readAt)).toBeUndefined();
  });
});
