import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { IsIn, IsInt, IsOptional, IsString } from 'class-validator';
import { type ConfigDefinition, EtcdTriggerInspector, RevisionConflictError, Secret } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CollectingLogger } from '../support/collecting-logger.js';
import { startApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class Database {
  @IsString() host!: string;
  @Secret() @IsString() @IsIn(['sesame-1', 'sesame-2', '***']) password!: string;
  @IsOptional() @IsInt() port?: number;
}
const tokens = z.object({ token: z.string() });
const configs: ConfigDefinition[] = [
  { key: '/db', type: Database },
  { prefix: '/dbs/', type: Database },
  { key: '/tokens', schema: tokens, secret: true },
  { key: '/default', type: Database, default: { host: 'd', password: 'sesame-1' } },
];
const INITIAL = {
  '/db': { host: 'a', password: 'sesame-1' },
  '/dbs/x': { host: 'x', password: 'sesame-1' },
  '/tokens': { token: 'sesame-3' },
};

describe('a store with secrets', () => {
  let outputs: string[] = [];
  const show = (value: unknown): void => {
    outputs.push(inspect(value, { depth: 20, showHidden: true }), inspect(value, { depth: 20 }));
    try {
      outputs.push(JSON.stringify(value));
    } catch {
      // Not everything is JSON.
    }
  };
  const showErrorOf = async (run: () => unknown): Promise<unknown> => {
    try {
      await run();
    } catch (error) {
      show(error);
      return error;
    }
    throw new Error('no error');
  };
  afterEach(() => {
    outputs = [];
  });

  it('shows them in no log, error, event, history or description', async () => {
    const logger = new CollectingLogger();
    const cluster = new FakeCluster(INITIAL);
    await using started = await startApp({ hosts: '', client: cluster, configs, logger });
    const { store, app, watcher } = started;
    const inspector = app.get(EtcdTriggerInspector);
    store.onChange('', show);
    const subscription = store.changes$().subscribe(show);
    await watcher.watch({ prefix: '' }, show);

    await store.put('/db', Database, { host: 'b', password: 'sesame-2' });
    await store.update('/db', Database, (current) => ({ host: 'c', password: current?.password ?? '' }));
    await store.waitForRevision(cluster.put('/db', { host: 'd', password: 'sesame-invalid' }).revision);
    await store.waitForRevision(cluster.put('/dbs/x', 'sesame-1').revision);
    await showErrorOf(() => store.put('/db', Database, { host: 'e', password: 'sesame-bad' }));
    await showErrorOf(() => store.put('/db', store.entry('/db', Database) as never));
    await showErrorOf(() => store.rollback('/db', cluster.revision - 1));
    const conflict = await showErrorOf(() =>
      store.put('/dbs/y', { host: 'e', password: 'sesame-1' }, { ifRevision: 1 }).then(() => 0),
    );
    await store.put('/dbs/y', { host: 'e', password: 'sesame-1' });
    const second = await showErrorOf(() =>
      store.put('/dbs/y', { host: 'e', password: 'sesame-2' }, { ifAbsent: true }),
    );
    await showErrorOf(() =>
      store.update('/db', Database, (current) => {
        throw new Error('failed', { cause: current });
      }),
    );
    show((second as RevisionConflictError).current(Database));
    show(store.get('/db', Database));
    show(store.entries('/dbs/', Database));
    show(store.snapshot('').entries(Database));
    show(store.get('/tokens', tokens));
    show([store, store.select('/db', Database, (config) => config), subscription, logger.lines]);
    show(await store.history('/db'));
    show([inspector.describe(), inspector.schema(), inspector.effective(), configs.slice(0, 3)]);
    subscription.unsubscribe();

    expect(conflict).toBeInstanceOf(RevisionConflictError);
    const text = outputs.join('\n').replaceAll(/"enum":\[[^\]]*\]|enum: \[[^\]]*\]/g, '');
    expect(text).not.toContain('sesame');
    expect(text).toContain(`password: '***'`);
    expect(cluster.json('/db')).toMatchObject({ password: 'sesame-invalid' });
    expect(cluster.json('/dbs/y')).toMatchObject({ password: 'sesame-1' });
  });

  it('describes the whole configuration with its provenance for one log line', async () => {
    const cluster = new FakeCluster(INITIAL);
    await using started = await startApp({ hosts: '', client: cluster, configs });
    const { revision } = await started.store.put('/db', Database, { host: 'b', password: 'sesame-2', port: 1 });
    await started.store.waitForRevision(cluster.put('/db', { host: 7 }).revision);

    expect(started.app.get(EtcdTriggerInspector).effective()).toEqual([
      {
        cluster: 'default',
        key: '/db',
        type: 'Database',
        value: { host: 'b', password: '***', port: 1 },
        state: 'invalid',
        revision,
        source: 'etcd',
        rejectedRevision: revision + 1,
        violations: [
          { path: 'host', constraints: ['isString'] },
          { path: 'password', constraints: ['isIn', 'isString'] },
        ],
      },
      expect.objectContaining({ key: '/tokens', type: 'zod schema', value: { token: '***' } }),
      expect.objectContaining({ key: '/default', value: { host: 'd', password: '***' }, source: 'default' }),
      expect.objectContaining({ key: '/dbs/x', value: { host: 'x', password: '***' }, state: 'valid' }),
    ]);
  });

  it('writes them by every door, and never their mask', async () => {
    const cluster = new FakeCluster(INITIAL);
    await using started = await startApp({ hosts: '', client: cluster, configs });
    const { store } = started;
    const config = store.getOrThrow('/db', Database);
    const { revision } = await store.put('/dbs/copy', config);
    await store.put('/dbs/typed', Database, config);
    await store.put('/dbs/spread', { ...(config as object), port: 2 });
    await store.transaction((tx) => {
      tx.put('/dbs/tx', config);
    });
    await store.update('/dbs/x', Database, (current) => Object.assign(new Database(), current, { port: 3 }));
    await store.put('/tokens', store.getOrThrow('/tokens', tokens));
    await store.put('/dbs/copy', { host: 'other', password: 'sesame-2' });
    await store.rollback('/dbs/copy', revision);
    const json = JSON.parse(JSON.stringify(config)) as Database;
    await expect(store.put('/dbs/copy', json)).rejects.toThrow('password [masked]');
    await expect(store.update('/dbs/x', Database, () => json)).rejects.toThrow('password [masked]');

    const documents = cluster.keys().map((key) => `${key} ${cluster.text(key) ?? ''}`);
    expect(documents.filter((text) => text.includes('***'))).toEqual([]);
    expect(documents).toHaveLength(7);
    for (const key of ['copy', 'typed', 'spread', 'tx', 'x']) {
      expect(cluster.json(`/dbs/${key}`)).toMatchObject({ password: 'sesame-1' });
    }
    expect(cluster.json('/tokens')).toEqual({ token: 'sesame-3' });
  });

  it('excludes them from an offline snapshot that is not encrypted', async () => {
    await using folder = await TemporaryFolder.create();
    const [first] = await Promise.all(
      [undefined, Buffer.alloc(32, 1)].map(async (encryptionKey, index) => {
        const directory = join(folder.path, String(index));
        const snapshot = { directory, ...(encryptionKey && { encryptionKey }) };
        const started = await startApp({ hosts: '', client: new FakeCluster(INITIAL), configs, snapshot });
        await started.app.close();
        const [file = ''] = await readdir(directory);
        return readFile(join(directory, file), 'latin1');
      }),
    );
    const bytes = Array.from((first ?? '').matchAll(/"([A-Za-z0-9+/=]{8,})"/g), ([, base64 = '']) => Buffer.from(base64, 'base64').toString()); // prettier-ignore

    expect(`${first} ${bytes.join(' ')}`).not.toContain('sesame');
  });
});
