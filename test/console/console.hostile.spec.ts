import { readFileSync } from 'node:fs';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type CanActivate, Injectable, Scope } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { EtcdTriggerModule, Secret, StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { quiet } from '../support/quiet-logger.js';
import { type AppOptions, ConsoleApp } from './console-app.js';
import { CANARY, KEYS, Tenant } from './console.configs.js';

let started: ConsoleApp | undefined;

const start = async (options: AppOptions = {}): Promise<ConsoleApp> => (started = await ConsoleApp.start(options));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

class Account {
  @IsString() kind!: string;
}

class PrivateAccount extends Account {
  @Secret() @IsString() name!: string;
}

class PublicAccount extends Account {
  @IsString() name!: string;
}

const BY_KIND = {
  keepDiscriminatorProperty: true,
  discriminator: {
    property: 'kind',
    subTypes: [
      { name: 'private', value: PrivateAccount },
      { name: 'public', value: PublicAccount },
    ],
  },
};

class Accounts {
  @ValidateNested() @Type(() => Account, BY_KIND) main!: PrivateAccount | PublicAccount;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Account, BY_KIND) others?: PrivateAccount[];
}

describe('the mask of a secret', () => {
  it('is a violation where the class of the part would show the secret', async () => {
    const account = { kind: 'private', name: CANARY };
    const app = await start({
      etcd: new FakeCluster({ '/accounts': { main: account, others: [account] } }),
      definitions: [{ key: '/accounts', type: Accounts }],
    });
    const { headRevision: ifRevision } = await app.entry('/accounts');
    const send = (method: string, path: string, kind: string) => {
      const document = { main: { kind, name: '***' }, others: [{ kind: 'private', name: '***' }] };
      return app.send(method, path, { key: '/accounts', document, ifRevision });
    };
    const violations = [{ path: 'main.name', constraints: ['masked'] }];

    expect((await send('POST', 'check', 'public')).body).toMatchObject({ violations });
    const { status, body } = await send('PUT', 'entry', 'public');
    expect([status, body.violations]).toEqual([422, violations]);
    expect((await send('PUT', 'entry', 'private')).status).toBe(200);
    expect(app.etcd.json('/accounts')).toEqual({ main: account, others: [account] });
  });
});

describe.each(['express', 'fastify'] as const)('a hostile client of the console on %s', (adapter) => {
  it('gets a violation for a document that is nested too deeply', async () => {
    const app = await start({ adapter });
    const sent = `{"key":"${KEYS.flags}","ifRevision":2,"document":{"checkout":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`;

    for (const [method, path] of [
      ['POST', 'check'],
      ['PUT', 'entry'],
    ] as const) {
      const { body } = await app.send(method, path, sent);
      expect(body.violations).toMatchObject([{ constraints: ['depth'] }]);
    }
  });

  it('opens no stream of events by HEAD', async () => {
    const app = await start({ adapter });

    expect((await app.fetch('api/events', { method: 'HEAD' })).status).toBe(405);
  });

  it('reaches the console by targets of other forms only where the router does', async () => {
    const app = await start({ adapter });

    const statuses = await Promise.all(
      ['//evil.example/etcd/api/state', '/etcd/%2e%2e/', '/etcd/api%2fstate', '/etcd;x/api/state', '/etcd//'].map(
        async (target) => (await fetch(`${app.origin}${target}`, { redirect: 'manual' })).status,
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([404]));
  });
});

@Injectable({ scope: Scope.REQUEST })
class RequestGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

describe('a guard with request scope', () => {
  it('does not make each request read the files of the page', async () => {
    const app = await start({ console: { unprotected: false, guards: [RequestGuard] } });
    const read = vi.spyOn(fs, 'readFileSync');
    syncBuiltinESMExports();

    try {
      expect((await app.fetch('assets/main.js')).status).toBe(200);
      expect(readFileSync).toBe(read);
      expect(read).not.toHaveBeenCalled();
    } finally {
      read.mockRestore();
      syncBuiltinESMExports();
    }
  });
});

describe('the history of a layer', () => {
  it('shows the record of that layer if a transaction has written several', async () => {
    const app = await start({ audit: true });
    const { revision } = await app.app.get(StoreService, { strict: false }).transaction((tx) => {
      tx.put(KEYS.mail, { host: 'mail-2', port: 25, password: CANARY }, { layer: KEYS.mailBase });
      tx.put(KEYS.mail, { port: 2_525 }, { layer: KEYS.mail });
    });

    const pathsOf = async (layer: string): Promise<unknown> => {
      const { body } = await app.get('history', { key: KEYS.mail, layer });
      return (body.revisions as { revision: number; audit?: object }[]).find((each) => each.revision === revision)
        ?.audit;
    };
    expect(await pathsOf(KEYS.mailBase)).toMatchObject({ changedPaths: ['host', 'password'] });
    expect(await pathsOf(KEYS.mail)).toMatchObject({ changedPaths: ['port'] });
  });
});

describe('an application with two clusters', () => {
  it('shows and writes the key of the cluster that a request names', async () => {
    const other = new FakeCluster({ [KEYS.flags]: { name: 'Other', limit: 1 } });
    const configs = [{ key: KEYS.flags, type: Tenant }];
    const app = await start({
      imports: [EtcdTriggerModule.forRoot({ cluster: 'other', client: other, configs, logger: quiet })],
    });

    expect((await app.get('state')).body.clusters).toMatchObject([{ name: 'default' }, { name: 'other' }]);
    expect((await app.get('entry', { key: KEYS.flags, cluster: 'other' })).body).toMatchObject({ type: 'Tenant' });
    const unnamed = await app.get('entry', { key: KEYS.flags });
    expect([unnamed.status, unnamed.body.message]).toEqual([400, '"cluster" is missing']);
    const before = app.etcd.json(KEYS.flags);
    const { headRevision: ifRevision } = (await app.get('entry', { key: KEYS.flags, cluster: 'other' })).body;
    const sent = { cluster: 'other', key: KEYS.flags, document: { name: 'New', limit: 2 }, ifRevision };
    expect((await app.send('PUT', 'entry', sent)).status).toBe(200);
    expect([other.json(KEYS.flags), app.etcd.json(KEYS.flags)]).toEqual([sent.document, before]);
    expect((await app.get('keys', { cluster: 'other' })).body).toMatchObject({ total: 1 });
  });
});

describe('the JSON Schema of a secret definition', () => {
  it('contains no default of a secret', async () => {
    const apiKey = z.object({ current: z.string().default(CANARY) }).default({ current: CANARY });
    const schema = z.object({ apiKey, default: z.string().meta({ examples: [CANARY] }) });
    const app = await start({
      etcd: new FakeCluster(),
      definitions: [{ key: '/credentials', schema, secret: true }],
    });

    const { text, body } = await app.get('entry', { key: '/credentials' });
    expect(body.schema).toMatchObject({ properties: { apiKey: { writeOnly: true }, default: { type: 'string' } } });
    expect(text).not.toContain(CANARY);
    expect((await app.get('state')).text).not.toContain(CANARY);
  });
});
