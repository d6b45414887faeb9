import { IsInt } from 'class-validator';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { expect, it, vi } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

class Limit {
  @IsInt() n!: number;
}

it('a store is stale after the process was suspended, until its values are compared with etcd', async () => {
  const logger = new CollectingLogger();
  const cluster = new FakeCluster({ '/limit': { n: 1 } });
  const configs = [
    { key: '/limit', type: Limit },
    { prefix: '/limits/', type: Limit },
  ];
  await using app = await startApp({ hosts: '', client: cluster, configs, logger });
  expect(app.store.status).toBe('ready');

  cluster.freeze();
  const later = Date.now() + 3_600_000;
  const clock = vi.spyOn(Date, 'now').mockReturnValue(later);
  expect(app.store.status).toBe('stale');
  expect(app.store.status).toBe('stale');
  clock.mockRestore();
  cluster.thaw();
  await eventually(() => app.store.status === 'ready');
  const lines = logger.lines.filter(({ text }) => /has not run for 3600 s|is current again/.test(text));
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'log']);
});
