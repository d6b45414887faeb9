import { readdir } from 'node:fs/promises';
import { IsInt, IsString } from 'class-validator';
import {
  BootError,
  ConfigNotFoundError,
  EtcdTriggerModule,
  InvalidOptionsError,
  loadConfig,
  type LoadConfigOptions,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';
import { startApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class Http {
  @IsInt() port!: number;
}
class Tenant {
  @IsString() host!: string;
}
const Flag = z.object({ on: z.boolean().default(false) });

const configs = [
  { key: '/http', type: Http, default: { port: 3_000 } },
  { prefix: '/tenants/', type: Tenant },
  { key: '/flag', schema: Flag },
] as const;

describe('loadConfig', () => {
  it('reads and validates as the module does', async () => {
    const etcd = new FakeCluster({ '/tenants/b': { host: 'b' }, '/tenants/a': { host: 'a' }, '/flag': {} });
    const config = await loadConfig({ client: etcd, configs, logger: quiet });

    expect(config.getOrThrow('/http', Http)).toEqual({ port: 3_000 });
    expect(config.getOrThrow('/http', Http)).toBeInstanceOf(Http);
    expect([...config.entries(Tenant)].map(([key, { host }]) => `${key} ${host}`)).toEqual([
      '/tenants/a a',
      '/tenants/b b',
    ]);
    expect(config.get('/flag', Flag)).toEqual({ on: false });
    expect(config.keys()).toEqual(['/flag', '/http', '/tenants/a', '/tenants/b']);
    expect(config.get('/tenants/c', Tenant)).toBeUndefined();
    expect(() => config.getOrThrow('/tenants/c', Tenant)).toThrow(ConfigNotFoundError);
    expect(() => config.getOrThrow('/tenants/c', Tenant)).toThrow(
      '"/tenants/c": there was no valid Tenant when the view was created',
    );
    expect(() => config.get('/http', Tenant)).toThrow(InvalidOptionsError);
  });

  it('closes everything, also after a failure', async () => {
    const etcd = new FakeCluster({ '/http': { port: 'x' } });
    const failed = loadConfig({ client: etcd, configs, logger: quiet });
    await expect(failed).rejects.toThrow(BootError);
    await expect(failed).rejects.toThrow('"/http" is not valid: port [isInt]');
    etcd.put('/http', { port: 1 });
    await loadConfig({ client: etcd, configs, logger: quiet });

    expect(etcd.activities).toEqual([]);
    await settled(etcd);
  });

  it('does not follow changes', async () => {
    const etcd = new FakeCluster({ '/http': { port: 1 } });
    const config = await loadConfig({ client: etcd, configs, logger: quiet });
    etcd.put('/http', { port: 2 });
    await settled(etcd);

    expect(config.get('/http', Http)).toEqual({ port: 1 });
  });

  it('applies keyPrefix and the boot policy', async () => {
    const etcd = new FakeCluster({ '/staging/http': { port: 1 } });
    const options = { client: etcd, keyPrefix: '/staging', logger: quiet };
    const config = await loadConfig({ ...options, configs: [{ key: '/http', type: Http }] });
    expect(config.get('/http', Http)).toEqual({ port: 1 });

    const required = [{ key: '/late', type: Http, required: true }] as const;
    const waiting = loadConfig({ ...options, configs: required, boot: { policy: 'wait' } });
    etcd.put('/staging/late', { port: 2 });
    expect((await waiting).getOrThrow('/late', Http)).toEqual({ port: 2 });
    const degraded = await loadConfig({
      ...options,
      configs: [{ key: '/none', type: Http, required: true }],
      boot: { policy: 'degraded' },
    });
    expect(degraded.keys()).toEqual([]);
  });

  it('uses the offline snapshot of the module, and does not write to it', async () => {
    await using folder = await TemporaryFolder.create();
    const etcd = new FakeCluster({ '/http': { port: 1 }, '/tenants/a': { host: 'a' } });
    const snapshot = { directory: folder.path };
    const saved = await startApp({ hosts: '', client: etcd, configs: [...configs], snapshot });
    await saved.app.close();
    const online = await loadConfig({ client: etcd, configs: [configs[0]], snapshot, logger: quiet });
    etcd.disconnect();
    const boot = { timeoutMs: 300 };
    const offline = await loadConfig({ client: etcd, configs, snapshot, boot, logger: quiet });

    expect([online.get('/http', Http), offline.keys()]).toEqual([{ port: 1 }, ['/http', '/tenants/a']]);
    expect(await readdir(folder.path)).toEqual(['etcd-trigger.default.snapshot']);
    const other = loadConfig({ client: etcd, configs, snapshot, boot, cluster: 'other', logger: quiet });
    await expect(other).rejects.toThrow(BootError);
  });

  it('logs one line, and works beside an application', async () => {
    const etcd = new FakeCluster({ '/http': { port: 1 } });
    await using started = await startApp({ hosts: '', client: etcd, configs: [...configs] });
    const logger = new CollectingLogger();
    await loadConfig({ client: etcd, configs: [{ key: '/http', type: Http }], serviceName: 'tool', logger });

    expect(logger.text).toMatch(/^log loaded 1 definition with 1 key at revision \d+ in \d+ ms \[service=tool pod=.*$/);
    etcd.put('/http', { port: 2 });
    await eventually(() => started.store.get('/http', Http)?.port === 2);
  });

  it.each<[string, object | undefined]>([
    ['loadConfig needs options: { client, configs }', undefined],
    ['"config" of loadConfig is not an option: did you mean "configs"?', { config: [] }],
    ['"handlers" of loadConfig is not an option: the options are client, configs, ', { handlers: {} }],
    ['"configs" of loadConfig must be an array of { key, type } or { prefix, type }', { configs: undefined }],
    ['"configs" of loadConfig is empty: list the definitions to load', { configs: [] }],
    ['"cluster" of loadConfig must be a string', { cluster: 1 }],
    ['"requestTimeoutMs" must be a number of milliseconds above 0', { requestTimeoutMs: 0 }],
    ['client', { client: undefined }],
  ])('refuses wrong options: %s', async (message, wrong) => {
    const options = wrong && { client: new FakeCluster(), configs, ...wrong };
    const refused = loadConfig(options as LoadConfigOptions<typeof configs>);

    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(message);
  });

  it('accepts the definitions of a module, whatever their type', async () => {
    const etcd = new FakeCluster();
    const shared = [{ key: '/http', type: Http, default: { port: 1 } }];
    EtcdTriggerModule.forFeature(shared);

    expect((await loadConfig({ client: etcd, configs: shared, logger: quiet })).get('/http', Http)).toEqual({
      port: 1,
    });
  });
});
