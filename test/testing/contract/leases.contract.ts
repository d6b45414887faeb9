import { IsInt } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf, openBackend } from './open-backend.js';

class Instance {
  @IsInt() port!: number;
}

export function leasesContract(cluster: () => ContractCluster): void {
  describe('leases', () => {
    it('take their keys along at one revision when they are revoked, and never come back', async () => {
      using backend = openBackend(cluster().client);
      const { keyValue, leases } = backend;
      const { signal } = new AbortController();
      const { id, ttlSeconds } = await leases.grant(60);
      const put = (key: string): ReturnType<typeof keyValue.commit> =>
        keyValue.commit({
          what: `put "${key}"`,
          operations: [{ type: 'put', rawKey: key, value: Buffer.from('x'), lease: id }],
        });
      await put('/le/a');
      const { revision } = await put('/le/b');

      expect(ttlSeconds).toBe(60);
      expect((await keyValue.get('/le/a')).record?.lease).toBe(id);
      expect(await leases.renew(id, signal)).toBe(true);
      await leases.revoke(id, signal);
      expect((await keyValue.get('/le/a')).record).toBe(undefined);
      expect((await keyValue.get('/le/b')).revision).toBe(revision + 1);
      expect(await leases.renew(id, signal)).toBe(false);
      await leases.revoke(id, signal);
      expect(await failureOf(put('/le/c'))).toEqual({
        name: 'LeaseNotFoundError',
        message: 'put "/le/c": etcdserver: requested lease not found',
      });
    });

    it('name their keys', async () => {
      using backend = openBackend(cluster().client, '/lk');
      const { keyValue, leases } = backend;
      const { signal } = new AbortController();
      const { id } = await leases.grant(60);
      expect(await leases.keys(id, signal)).toEqual([]);

      for (const rawKey of ['/a', '/b']) {
        const operation = { type: 'put', rawKey, value: Buffer.from('x'), lease: id } as const;
        await keyValue.commit({ what: 'put', operations: [operation] });
      }
      expect([...((await leases.keys(id, signal)) ?? [])].sort()).toEqual(['/a', '/b']);

      await leases.revoke(id, signal);
      expect(await leases.keys(id, signal)).toBe(undefined);
    });

    it('of an application outlive their time, and end with the application', async () => {
      const configs = [{ prefix: '/li/', type: Instance }];
      await using witness = await startApp({ hosts: '', client: cluster().client, configs });
      const started = await startApp({ hosts: '', client: cluster().client, configs });
      const { shortTtlSeconds } = cluster();
      await started.store.put('/li/1', { port: 1 }, { lease: { ttlSeconds: shortTtlSeconds } });
      await cluster().pass(shortTtlSeconds * 1_000 + 500);

      expect((await witness.watcher.get('/li/1')).version).toBe(1);
      await started[Symbol.asyncDispose]();
      expect((await failureOf(witness.watcher.get('/li/1'))).name).toBe('KeyNotFoundError');
    });
  });
}
