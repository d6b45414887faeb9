import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { Etcd3 } from 'etcd3';
import { type EtcdTriggerOptions, StoreService, WatchKey, WatchKeyRegistry } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { etcdctlCommandsIn, runEtcdctl } from '../support/etcdctl.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

const GUIDE = readFileSync('docs/security.md', 'utf8');

/** The etcdctl commands of the guide, without those that authenticate as root. */
const COMMANDS = etcdctlCommandsIn(GUIDE);

class Limit {
  @IsInt() count!: number;
}

@Injectable()
class TenantHandlers {
  @WatchKey('/tenants/:tenant/limits')
  onChange(): void {
    // Only the state of the watch matters.
  }
}

describe('the role in docs/security.md', () => {
  let etcd: EtcdTestCluster;
  let root: Etcd3;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    const anonymous = new Etcd3({ hosts: etcd.hosts });
    for (const command of COMMANDS) await runEtcdctl(anonymous, command);
    anonymous.close();
    root = new Etcd3({ hosts: etcd.hosts, auth: { username: 'root', password: 'of root' } });
  });
  beforeEach(async () => {
    await root.put('/app/database').value('{"count":1}');
    const role = root.role('app');
    for (const permission of await role.permissions()) await role.revoke(permission);
  });
  afterAll(async () => {
    root.close();
    await etcd.stop();
  });

  const startWith = (options: Partial<EtcdTriggerOptions>, providers: (typeof TenantHandlers)[] = []) =>
    startApp(
      { hosts: etcd.hosts, client: { hosts: etcd.hosts, auth: { username: 'app', password: 'of app' } }, ...options },
      { providers },
    );
  const grant = async (...permissions: string[]): Promise<void> => {
    for (const permission of permissions) {
      expect(GUIDE).toContain(`\`${permission.replace('readwrite /app/ --prefix', 'readwrite')}\``);
      await runEtcdctl(root, `role grant-permission app ${permission}`);
    }
  };

  it('is created by the commands, which then enable authentication', () => {
    expect(COMMANDS.at(-1)).toBe('auth enable');
  });

  it('can read a configuration with a prefix, but not write it', async () => {
    await grant('read /app/ --prefix');
    await using started = await startWith({ configs: [{ prefix: '/app/', type: Limit }] });

    expect(started.store.get('/app/database', Limit)).toEqual({ count: 1 });
    await expect(started.store.put('/app/database', { count: 2 })).rejects.toMatchObject({
      code: 'ETCD_PERMISSION_DENIED',
    });
  });

  it('can read a configuration with a key', async () => {
    await grant('read /app/database');
    await using started = await startWith({ configs: [{ key: '/app/database', type: Limit }] });

    expect(started.store.get('/app/database', Limit)).toEqual({ count: 1 });
  });

  it('can follow a pattern', async () => {
    await grant('read /tenants/ --prefix');
    await using started = await startWith({}, [TenantHandlers]);

    const states = (): string[] =>
      started.app
        .get(WatchKeyRegistry)
        .list()
        .map(({ state }) => state);
    await eventually(() => states().join() === 'following');
  });

  it('can write in every way, including a key with a lease', async () => {
    await grant('readwrite /app/ --prefix');
    await using started = await startWith({ configs: [{ prefix: '/app/', type: Limit }] });

    await writeInEveryWay(started.store);
  });

  it('can write markers of outcomes only with a separate permission', async () => {
    const options = { configs: [{ prefix: '/app/', type: Limit }], outcomes: { prefix: '/outcomes' } };
    await grant('readwrite /app/ --prefix');
    await using without = await startWith(options);
    await expect(writeInEveryWay(without.store)).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });

    await grant('readwrite /outcomes/ --prefix');
    await using started = await startWith(options);
    await writeInEveryWay(started.store);
  });

  it('needs the keyPrefix in front of its prefixes', async () => {
    await root.put('/tenant-1/app/database').value('{"count":7}');
    await grant('read /tenant-1/app/ --prefix');
    await using started = await startWith({ keyPrefix: '/tenant-1', configs: [{ prefix: '/app/', type: Limit }] });

    expect(started.store.get('/app/database', Limit)).toEqual({ count: 7 });
  });
});

async function writeInEveryWay(store: StoreService): Promise<void> {
  await store.put('/app/database', { count: 2 });
  await store.update('/app/database', Limit, (limit) => ({ count: (limit?.count ?? 0) + 1 }));
  await store.put('/app/leased', { count: 1 }, { lease: { ttlSeconds: 5 } });
  await store.transaction((tx) => {
    tx.put('/app/database', { count: 4 });
    tx.delete('/app/leased');
  });
  await store.delete('/app/database');
}
