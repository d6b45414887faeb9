import { cp, rm } from 'node:fs/promises';
import { ClusterLocks, FenceLostError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

describe('an owner that etcd has forgotten by a restore', () => {
  const etcd = ownEtcd();

  /** Copies the store, and returns a function that replaces it by the copy. */
  const backup = async (path: string): Promise<() => Promise<void>> => {
    const { first } = etcd;
    const copy = async (from: string, to: string): Promise<void> => {
      await first.kill();
      await rm(to, { recursive: true, force: true });
      await cp(from, to, { recursive: true });
      await first.start();
    };
    await copy(first.dataDirectory, path);
    return () => copy(path, first.dataDirectory);
  };
  const start = async (hosts: string | string[]) => {
    const started = await startApp({ hosts, coordination: { prefix: '/coordination', ttlSeconds: 5 } });
    return { ...started, locks: started.app.get(ClusterLocks) };
  };

  /** `bumped`: the revision was raised above all earlier ones, as by `etcdutl snapshot restore --bump-revision`. */
  it.each(['plain', 'bumped'])('cannot write, even if the next owner has the same token: %s', async (restore) => {
    await using folder = await TemporaryFolder.create();
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await etcd.put('/effects', 'before');
    const restoreBackup = await backup(`${folder.path}/backup`);
    await using paused = await start(proxy.endpoint);
    await using other = await start(etcd.hosts);
    const { fence } = await paused.locks.acquire('one');
    proxy.freeze();

    await restoreBackup();
    if (restore === 'bumped') {
      for (let revision = 0; revision <= fence.token;) revision = await etcd.put('/bump', 'x');
    }
    const next = await eventually(() => other.locks.acquire('one'));
    if (restore === 'plain') expect(next.fence.token).toBe(fence.token);
    else expect(next.fence.token).toBeGreaterThan(fence.token);
    proxy.cut();
    proxy.thaw();

    // The first attempts may meet a connection that ends.
    await eventually(() => expect(paused.watcher.put('/effects', 'late', { fence })).rejects.toThrow(FenceLostError));
    await other.watcher.put('/effects', 'next', { fence: next.fence });
    await eventually(() => fence.signal.aborted);
    expect([fence.held, await fence.verify(), next.fence.held]).toEqual([false, false, true]);
    const { value, version } = await other.watcher.get('/effects');
    expect([value.toString(), version]).toEqual(['next', 2]);
    await next.release();
  });
});
