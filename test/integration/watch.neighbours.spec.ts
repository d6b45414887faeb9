import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { Limit } from '../support/configs.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

describe('a prefix that covers keys of a neighbour', () => {
  const etcd = ownEtcd();

  it('is reported once at startup, with the names of etcd, and without values', async () => {
    await etcd.put('/shop/tenant-1/limit', { count: 11 });
    await etcd.put('/shop/tenant-10/limit', { count: 12 });
    const logger = new CollectingLogger();
    const configs = [
      { prefix: '/tenant-1', type: Limit },
      { prefix: '/tenant-10/', type: Limit },
    ];
    await using app = await startApp({ hosts: etcd.hosts, keyPrefix: '/shop', configs, logger });
    await app.watcher.watch('/tenant-1', () => undefined);

    const warnings = logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);
    expect(warnings).toEqual([
      expect.stringContaining(
        'prefix "/tenant-1" also covers "/shop/tenant-10/limit": use the prefix "/tenant-1/" if only the keys below it are meant',
      ),
    ]);
    expect(app.store.keys()).toEqual(['/tenant-1/limit', '/tenant-10/limit']);
  });
});
