import { afterEach, describe, expect, it } from 'vitest';
import { ConsoleApp, type AppOptions } from './console-app.js';
import { KEYS } from './console.configs.js';

let started: ConsoleApp | undefined;

const start = async (options: AppOptions = {}): Promise<ConsoleApp> => (started = await ConsoleApp.start(options));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

describe.each(['express', 'fastify'] as const)('the console on %s', (adapter) => {
  it('serves the page and its assets, and redirects to the folder of the page', async () => {
    const app = await start({ adapter });

    const page = await app.fetch('');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const script = await app.fetch('assets/main.js');
    expect(script.status).toBe(200);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    const redirected = await app.fetch('/etcd');
    expect(redirected.status).toBe(302);
    expect(redirected.headers.get('location')).toBe('./etcd/');
    const etag = script.headers.get('etag') ?? '';
    expect((await app.fetch('assets/main.js', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await app.fetch('assets/none.js')).status).toBe(404);
  });

  it('describes the clusters, lists keys and shows documents', async () => {
    const app = await start({ adapter });

    const { body: state } = await app.get('state');
    expect(state).toMatchObject({ write: true, author: null, instance: { podName: 'shop-1', serviceName: 'shop' } });
    expect(state).toHaveProperty('clusters.0.definitions.0.schema.properties.password.writeOnly', true);
    const { body: list } = await app.get('keys', { search: 'TENANT', limit: '1', offset: '1' });
    expect(list).toMatchObject({
      total: 2,
      offset: 1,
      keys: [{ key: '/tenants/bob', state: 'invalid', violations: 1 }],
    });
    expect(await app.entry(KEYS.database)).toMatchObject({
      state: 'valid',
      headRevision: 2,
      document: { host: 'db-1', password: '***', replicas: [{ host: 'r-1', token: '***' }, { host: 'r-2' }] },
      secrets: ['password', 'replicas[0].token', 'replicas[1].token', 'passwrod'],
      canEdit: true,
    });
  });
});
