import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type AppOptions, ConsoleApp } from './console-app.js';
import { CANARY, KEYS } from './console.configs.js';

let started: ConsoleApp | undefined;

const start = async (options: AppOptions = {}): Promise<ConsoleApp> => (started = await ConsoleApp.start(options));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

/** The document in etcd, with its secrets. */
const stored = (app: ConsoleApp, key: string): unknown => JSON.parse(app.etcd.get(key)?.value.toString() ?? 'null');

describe.each(['express', 'fastify'] as const)('a write on %s', (adapter) => {
  it('keeps the secrets that the page does not know', async () => {
    const app = await start({ adapter });
    const { document, headRevision } = await app.entry(KEYS.database);

    const { status, body } = await app.send('PUT', 'entry', {
      key: KEYS.database,
      document: { ...(document as object), port: 6_000 },
      ifRevision: headRevision,
    });

    expect([status, body]).toEqual([200, { revision: app.etcd.get(KEYS.database)?.revision, visible: true }]);
    expect(stored(app, KEYS.database)).toMatchObject({
      port: 6_000,
      password: `${CANARY}-database`,
      replicas: [{ token: `${CANARY}-1` }, { token: `${CANARY}-2` }],
    });
  });

  it('reports a conflict with the current document, and changes nothing', async () => {
    const app = await start({ adapter });
    const { headRevision } = await app.entry(KEYS.database);
    const current = { host: 'db-2', port: 1, password: `${CANARY}-new` };
    const { revision } = app.etcd.put(KEYS.database, current);

    const { status, body, text } = await app.send('PUT', 'entry', {
      key: KEYS.database,
      document: { host: 'db-3', port: 3, password: 'p' },
      ifRevision: headRevision,
    });

    expect(status).toBe(409);
    expect(body).toMatchObject({
      code: 'ETCD_REVISION_CONFLICT',
      revision,
      document: { host: 'db-2', port: 1, password: '***' },
    });
    expect(text).not.toContain(CANARY);
    expect(stored(app, KEYS.database)).toEqual(current);
  });

  it('is rejected with its violations', async () => {
    const app = await start({ adapter });
    const { headRevision } = await app.entry(KEYS.database);
    const document = { host: 7, port: 0, password: '***' };

    const { status, body } = await app.send('PUT', 'entry', { key: KEYS.database, document, ifRevision: headRevision });
    const check = await app.send('POST', 'check', { key: KEYS.database, document });

    const violations = [
      { path: 'host', constraints: ['isString'] },
      { path: 'port', constraints: ['min'] },
    ];
    expect([status, body.violations]).toEqual([422, violations]);
    expect([check.status, check.body.violations]).toEqual([200, violations]);
    expect(check.body.document).toEqual(document);
  });
});

describe('the mask of a secret', () => {
  it('is a violation where there is no secret', async () => {
    const app = await start();
    const put = (key: string, document: object) => app.send('PUT', 'entry', { key, document, ifRevision: 0 });

    app.etcd.delete(KEYS.credentials);
    await eventually(async () => {
      expect(await app.entry(KEYS.credentials)).toMatchObject({ state: 'absent', headRevision: 0 });
    });
    const { status, body } = await put(KEYS.credentials, { user: 'u', apiKey: '***' });

    expect([status, body.violations]).toEqual([422, [{ path: 'apiKey', constraints: ['masked'] }]]);
    expect(app.etcd.get(KEYS.credentials)).toBeUndefined();
  });

  it('follows an item that has moved, and never joins another item', async () => {
    const app = await start();
    const { headRevision } = await app.entry(KEYS.database);
    const put = (replicas: object[]) =>
      app.send('PUT', 'entry', {
        key: KEYS.database,
        document: { host: 'h', port: 1, password: '***', replicas },
        ifRevision: headRevision,
      });

    const changed = await put([{ host: 'elsewhere', token: '***' }]);
    expect([changed.status, changed.body.violations]).toEqual([
      422,
      [{ path: 'replicas[0].token', constraints: ['masked'] }],
    ]);
    expect((await put([{ host: 'r-2', token: '***' }, { host: 'r-3' }])).status).toBe(200);
    expect(stored(app, KEYS.database)).toMatchObject({
      replicas: [{ host: 'r-2', token: `${CANARY}-2` }, { host: 'r-3' }],
    });
  });
});

describe('a secret that is sent', () => {
  const document = (password: string) => ({ host: 'db-1', port: 5_433, password });
  const GUESSES = [`${CANARY}-database`, 'wrong'];

  it('counts as changed also if it is the current one, so that no guess is confirmed', async () => {
    const app = await start();
    const check = async (sent: object) =>
      (await app.send('POST', 'check', { key: KEYS.database, document: sent })).body;

    for (const guess of GUESSES) {
      const { changedPaths } = await check(document(guess));
      expect(changedPaths).toEqual(['password', 'passwrod', 'pool', 'port', 'replicas']);
      // With a further change, these would be too many to be listed one by one.
      const added = Array.from({ length: 100 }, (_, at) => ({ host: `new-${at}` }));
      const replicas = [
        { host: 'r-1', token: `${guess.replace('-database', '')}-1` },
        { host: 'r-2', token: '***' },
      ];
      const sent = { ...document(guess), replicas: [...replicas, ...added] };
      expect((await check(sent)).changedPaths).toEqual(['password', 'passwrod', 'pool', 'port', 'replicas']);
    }
    const kept = await check({ ...document('***'), port: 5_432 });
    expect(kept.changedPaths).toEqual(['passwrod', 'pool', 'replicas']);
    const credentials = await app.send('POST', 'check', {
      key: KEYS.credentials,
      document: { user: `${CANARY}-user`, apiKey: '***' },
    });
    expect(credentials.body.changedPaths).toEqual(['user']);
  });

  it('counts as changed in the audit trail', async () => {
    const records: unknown[] = [];
    for (const guess of GUESSES) {
      const app = await start({ audit: true });
      const { headRevision: ifRevision } = await app.entry(KEYS.database);
      await app.send('PUT', 'entry', { key: KEYS.database, document: document(guess), ifRevision });
      const { body } = await app.get('audit', { key: KEYS.database });
      records.push((body.records as { changedPaths: unknown }[])[0]?.changedPaths);
      await app.close();
    }

    expect(records).toEqual(GUESSES.map(() => ['password', 'passwrod', 'pool', 'port', 'replicas']));
  });
});

describe('documents in other formats', () => {
  it('are edited as YAML and as text', async () => {
    const app = await start();
    const region = `${KEYS.regions}eu`;
    const { text, headRevision } = await app.entry(region);
    expect(text).toBe('name: Europe\nlimit: 3\n');

    const broken = await app.send('PUT', 'entry', { key: region, text: 'a: [', ifRevision: headRevision });
    expect([broken.status, broken.body.violations]).toEqual([422, [{ path: '', constraints: ['yaml'] }]]);
    const written = await app.send('PUT', 'entry', {
      key: region,
      text: 'name: EU\nlimit: 4\n',
      ifRevision: headRevision,
    });
    expect(written.status).toBe(200);
    expect(app.etcd.get(region)?.value.toString()).toBe('name: EU\nlimit: 4\n');
    const banner = await app.entry(KEYS.banner);
    expect(banner).toMatchObject({ document: 'Welcome', text: 'Welcome', schema: { type: 'string' } });
    const { status } = await app.send('PUT', 'entry', {
      key: KEYS.banner,
      text: '<b>Bye</b>',
      ifRevision: banner.headRevision,
    });
    expect([status, app.etcd.get(KEYS.banner)?.value.toString()]).toEqual([200, '<b>Bye</b>']);
  });

  it('are written layer by layer', async () => {
    const app = await start();
    const merged = await app.entry(KEYS.mail);
    expect(merged).toMatchObject({ document: { host: 'mail-1', port: 465, password: '***' }, canEdit: false });
    const layer = await app.entry(KEYS.mail, KEYS.mailBase);
    expect(layer).toMatchObject({ document: { host: 'mail-1', port: 25, password: '***' }, canEdit: true });

    const document = { ...(layer.document as object), host: 'mail-2' };
    const put = { key: KEYS.mail, document, ifRevision: layer.headRevision };
    expect((await app.send('PUT', 'entry', put)).status).toBe(400);
    expect((await app.send('PUT', 'entry', { ...put, layer: KEYS.tenants })).status).toBe(400);
    expect((await app.send('POST', 'check', { ...put, layer: KEYS.mailBase })).body).toMatchObject({
      violations: [],
      changedPaths: ['host'],
    });
    expect((await app.send('PUT', 'entry', { ...put, layer: KEYS.mailBase })).status).toBe(200);
    expect(app.etcd.get(KEYS.mailBase)?.value.toString()).toContain(`password: ${CANARY}-mail`);
    expect(await app.entry(KEYS.mail)).toMatchObject({ document: { host: 'mail-2' } });
    const { body } = await app.get('history', { key: KEYS.mail });
    expect(body.revisions).toMatchObject([{ changes: [{ path: 'host', before: 'mail-1', after: 'mail-2' }] }, {}]);
  });
});

describe('the history of a key', () => {
  it('shows changes, deletions, authors and reasons, and is rolled back to', async () => {
    const app = await start({ audit: true, console: { author: () => 'ada' } });
    const key = `${KEYS.tenants}acme`;
    const { headRevision: first } = await app.entry(key);
    const put = { key, document: { name: 'Acme', limit: 20 }, ifRevision: first, reason: 'more' };
    const { revision: second } = (await app.send('PUT', 'entry', put)).body;
    const deleted = await app.send('DELETE', 'entry', { key, ifRevision: second });
    expect(deleted.body).toMatchObject({ deleted: true });

    const rollback = { key, revision: first, ifRevision: 1 };
    expect((await app.send('POST', 'rollback', rollback)).status).toBe(409);
    const { body: last, status } = await app.send('POST', 'rollback', { ...rollback, ifRevision: 0, reason: 'back' });
    expect([status, last.visible]).toEqual([200, true]);

    const { body } = await app.get('history', { key });
    expect(body.complete).toBe(true);
    expect(body.revisions).toMatchObject([
      { revision: last.revision, deleted: false, audit: { author: 'ada', reason: 'back', action: 'rollback' } },
      { revision: deleted.body.revision, deleted: true, document: null, audit: { action: 'delete', source: 'shop-1' } },
      { revision: second, changes: [{ path: 'limit', before: 10, after: 20 }], audit: { reason: 'more' } },
      { revision: first, document: { name: 'Acme', limit: 10 } },
    ]);
    const { body: audit } = await app.get('audit', { key });
    expect(audit.records).toMatchObject([{ author: 'ada', reason: 'back' }, {}, {}]);
  });

  it('shows that a secret has changed, and not its value', async () => {
    const app = await start();
    app.etcd.put(KEYS.credentials, { user: `${CANARY}-user`, apiKey: `${CANARY}-other` });

    const { body, text } = await app.get('history', { key: KEYS.credentials });

    expect(body.revisions).toMatchObject([{ changes: [{ path: 'apiKey', before: '***', after: '***' }] }, {}]);
    expect(text).not.toContain(CANARY);
  });
});

describe('the author', () => {
  it('has to be known for a write', async () => {
    const author = (): string => {
      throw new Error(CANARY);
    };
    const app = await start({ console: { author } });

    const { status, body } = await app.send('DELETE', 'entry', { key: KEYS.flags, ifRevision: 2 });

    expect([status, body.message]).toEqual([
      403,
      'the author of the request could not be determined, so nothing was written',
    ]);
    expect(app.etcd.get(KEYS.flags)).toBeDefined();
  });

  it('is not the fault of the client if the application returns a name that cannot be recorded', async () => {
    const app = await start({ audit: true, console: { author: () => 'a'.repeat(257) } });

    const { status, body } = await app.send('DELETE', 'entry', { key: KEYS.flags, ifRevision: 2 });

    expect([status, body]).toEqual([
      500,
      { message: 'the name of the author is too long to be recorded, so nothing was written' },
    ]);
    expect(app.etcd.get(KEYS.flags)).toBeDefined();
    expect((await app.get('state')).body.author).toBeNull();
  });
});

describe('handlers and groups', () => {
  it('are paused, resumed and redriven', async () => {
    const app = await start();
    const name = 'Orders.onOrder';
    expect((await app.send('POST', 'handlers', { name, action: 'pause' })).body).toMatchObject({
      name,
      state: 'paused',
    });
    expect((await app.send('POST', 'handlers', { name, action: 'resume' })).body.state).not.toBe('paused');
    expect((await app.send('POST', 'handlers', { name: 'None.at', action: 'pause' })).status).toBe(404);

    await eventually(async () => {
      const { body } = await app.get('state');
      expect(body).toHaveProperty('clusters.0.coordination.groups.0.partitions.0.state', 'following');
    });
    app.etcd.put('/orders/1', 'x');
    await eventually(async () => {
      const { body } = await app.get('parked', { group: 'billing' });
      expect(body.events).toMatchObject([{ key: '/orders/1', error: 'Error', attempts: 1 }]);
    });
    expect((await app.send('POST', 'redrive', { group: 'billing' })).body).toEqual({ redriven: 1 });
  });
});
