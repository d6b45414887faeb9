import { IsInt } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { openBackend } from './open-backend.js';

class Limit {
  @IsInt() count!: number;
}

export function auditContract(cluster: () => ContractCluster): void {
  const start = (keyPrefix: string): Promise<StartedApp> =>
    startApp({
      hosts: '',
      client: cluster().client,
      keyPrefix,
      configs: [{ prefix: '/li/', type: Limit }],
      audit: { prefix: '/audit' },
    });
  const recordsOf = async (keyPrefix: string): Promise<readonly { readonly lease: string | undefined }[]> => {
    using backend = openBackend(cluster().client, keyPrefix);
    const { signal } = new AbortController();
    const { records } = await backend.listWatcher.list(KeyRange.of('/audit/'), { signal });
    return [...records.values()];
  };

  describe('the audit trail', () => {
    it('has one record for each written key, at the revision of the write', async () => {
      await using started = await start('/au1');
      const { store } = started;
      const base = await cluster().revision();
      await store.put('/li/a', { count: 1 }, { author: 'ada', reason: 'first' });
      await store.transaction((tx) => {
        tx.put('/li/a', { count: 2 }, { ifRevision: base + 1 });
        tx.put('/li/a/b', { count: 3 });
      });
      await store.delete('/li/a');

      expect(await store.audit('/li/a')).toMatchObject([
        { revision: base + 3, action: 'delete', fromRevision: base + 2 },
        { revision: base + 2, action: 'put', fromRevision: base + 1, changedPaths: ['count'] },
        { revision: base + 1, action: 'put', fromRevision: 0, author: 'ada', reason: 'first' },
      ]);
      expect(await store.audit('/li/a/b')).toMatchObject([{ key: '/li/a/b', revision: base + 2 }]);
      expect(await recordsOf('/au1')).toHaveLength(4);
    });

    it('has no record of a write that was not applied', async () => {
      await using started = await start('/au2');
      const { store } = started;
      const { revision } = await store.put('/li/a', { count: 1 });
      await expect(store.put('/li/a', { count: 2 }, { ifRevision: revision - 1 })).rejects.toThrow();

      expect(await store.audit('/li/a')).toHaveLength(1);
    });

    it('goes on after its lease was revoked', async () => {
      await using started = await start('/au3');
      const { store } = started;
      await store.put('/li/a', { count: 1 });
      for (const { lease } of await recordsOf('/au3')) await cluster().revokeLease(lease ?? '');
      await store.put('/li/a', { count: 2 });

      expect(await store.audit('/li/a')).toMatchObject([{ changedPaths: ['count'] }]);
    });
  });

  describe('a lease with a chosen id', () => {
    it('is granted once', async () => {
      using backend = openBackend(cluster().client);
      const { leases } = backend;
      const id = String(2n ** 62n + BigInt(Date.now()));

      expect(await leases.grantAs(id, 60)).toBe(true);
      expect(await leases.grantAs(id, 60)).toBe(false);
      expect(await leases.keys(id, new AbortController().signal)).toEqual([]);
      await leases.revoke(id, new AbortController().signal);
      expect(await leases.grantAs(id, 60)).toBe(true);
    });
  });
}
