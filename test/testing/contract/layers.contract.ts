import { IsInt, IsOptional, Max } from 'class-validator';
import { settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { type StartedApp, startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf } from './open-backend.js';

class Counters {
  @IsInt() @Max(1_000) one!: number;
  @IsOptional() @IsInt() two?: number;
  @IsOptional() @IsInt() three?: number;
}

const ROUNDS = 100;

export function layersContract(cluster: () => ContractCluster): void {
  const start = (name: string, layers: readonly string[]): Promise<StartedApp> =>
    startApp({ hosts: '', client: cluster().client, configs: [{ key: name, type: Counters, layers }] });

  describe('a definition with layers', () => {
    it('never shows a part of a transaction over its layers, across a broken connection', async () => {
      const layers = ['/ly/a/one', '/ly/b/two', '/ly/c/three'];
      const write = (count: number): ReturnType<ContractCluster['write']> =>
        cluster().write({
          '/ly/a/one': `{"one":${count}}`,
          '/ly/b/two': `{"two":${count}}`,
          '/ly/c/three': count % 3 === 0 ? undefined : `{"three":${count}}`,
        });
      await write(1);
      await using started = await start('/ly', layers);
      const { store } = started;
      const parts: unknown[] = [];
      store.onChange<Counters>('/ly', ({ value }) => {
        const { one, two, three } = value ?? {};
        if (one === undefined || two !== one || three !== (one % 3 === 0 ? undefined : one)) parts.push(value);
      });
      for (let count = 2; count <= ROUNDS; count += 1) {
        await write(count);
        if (count === ROUNDS / 2) await cluster().disconnect();
        if (count === ROUNDS / 2 + 10) await cluster().reconnect();
      }
      const revision = await write(ROUNDS + 1);
      await eventually(() => store.get('/ly', Counters)?.one === ROUNDS + 1);
      await store.waitForRevision(revision);

      expect(parts).toEqual([]);
      expect(store.entry('/ly', Counters)).toMatchObject({ state: 'valid', revision });
    });

    it('writes one layer, if the whole stays valid and no other client has changed the layer', async () => {
      await cluster().write({ '/lw/base': '{"one":1}' });
      await using started = await start('/lw', ['/lw/base', '/lw/prod']);
      const { store } = started;
      const prod = { layer: '/lw/prod' };
      const { revision } = await store.put('/lw', { two: 2 }, { ...prod, ifAbsent: true });

      expect(store.get('/lw', Counters)).toEqual({ one: 1, two: 2 });
      expect((await failureOf(store.put('/lw', { one: 1_001 }, prod))).message).toBe(
        '"/lw" with this change of "/lw/prod" is not valid: one of layer "/lw/prod" [max]',
      );
      expect((await failureOf(store.put('/lw', {}, { ...prod, ifRevision: revision - 1 }))).name).toBe(
        'RevisionConflictError',
      );
      await store.update('/lw', Counters, (current) => Object.assign(new Counters(), current, { one: 5 }), prod);
      expect(await store.delete('/lw', { layer: '/lw/base' })).toMatchObject({ deleted: true });
      expect(store.entry('/lw', Counters)).toMatchObject({
        value: { one: 5, two: 2 },
        layers: [
          { key: '/lw/base', revision: 0 },
          { key: '/lw/prod', revision: revision + 1 },
        ],
      });
      await store.transaction((tx) => {
        tx.put('/lw', { one: 6 }, { layer: '/lw/base' });
        tx.delete('/lw', prod);
      });
      expect(store.get('/lw', Counters)).toEqual({ one: 6 });
      expect((await store.history('/lw', { type: Counters, limit: 2 })).map(({ value }) => value)).toEqual([
        { one: 6 },
        { one: 5, two: 2 },
      ]);
    });

    it('follows a replaced store', async () => {
      await cluster().write({ '/lr/base': '{"one":1}', '/lr/prod': '{"two":2}' });
      await using started = await start('/lr', ['/lr/base', '/lr/prod']);
      await cluster().wipe();
      await cluster().write({ '/lr/base': '{"one":3}' });
      await eventually(() => started.store.get('/lr', Counters)?.one === 3);
      await settled(started.app);

      expect(started.store.get('/lr', Counters)).toEqual({ one: 3 });
    });

    it('names a layer that the application must not read', async () => {
      const configs = [{ key: '/ld', type: Counters, layers: ['/allowed/base', '/denied/prod'] }];
      const failure = await failureOf(startApp({ hosts: '', client: cluster().restrictedClient, configs }));

      expect(failure.name).toBe('BootError');
      expect(failure.message).toContain('"/denied/prod"');
    });
  });
}
