import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { type AppOptions, ConsoleApp } from './console-app.js';
import { CANARY, KEYS } from './console.configs.js';

let started: ConsoleApp | undefined;

const start = async (options: AppOptions = {}): Promise<ConsoleApp> => (started = await ConsoleApp.start(options));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

const READS = ['state', 'keys', 'entry', 'history', 'audit', 'parked', 'events'];
const WRITES = [
  ['POST', 'check'],
  ['PUT', 'entry'],
  ['DELETE', 'entry'],
  ['POST', 'rollback'],
  ['POST', 'handlers'],
  ['POST', 'redrive'],
] as const;

@Injectable()
class Tokens {
  readonly admin = 'let-me-in';
}

@Module({ providers: [Tokens], exports: [Tokens] })
class TokensModule {}

@Injectable()
class AdminGuard implements CanActivate {
  constructor(private readonly tokens: Tokens) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    return request.headers.authorization === this.tokens.admin;
  }
}

class WrappingInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

describe.each(['express', 'fastify'] as const)('the console on %s', (adapter) => {
  it('asks its guard on every route', async () => {
    const app = await start({
      adapter,
      console: { unprotected: false, guards: [AdminGuard], imports: [TokensModule] },
    });

    const statuses = await Promise.all([
      ...['', '/etcd', 'assets/main.js', ...READS.map((name) => `api/${name}?key=${KEYS.flags}`)].map(
        async (path) => (await app.fetch(path)).status,
      ),
      ...WRITES.map(async ([method, path]) => (await app.send(method, path, { key: KEYS.flags })).status),
    ]);
    expect(new Set(statuses)).toEqual(new Set([403]));
    const headers = { authorization: 'let-me-in' };
    expect((await app.fetch('api/state', { headers })).status).toBe(200);
    expect((await app.fetch('assets/main.js', { headers })).status).toBe(200);
  });

  it('refuses writes that another origin can cause', async () => {
    const app = await start({ adapter });
    const { headRevision } = await app.entry(KEYS.flags);
    const body = { key: KEYS.flags, ifRevision: headRevision };
    const forged = [
      { 'x-etcd-trigger-console': '' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];

    for (const headers of forged) expect((await app.send('DELETE', 'entry', body, headers)).status).toBe(403);
    const form = await app.send('DELETE', 'entry', '{}', { 'content-type': 'text/plain' });
    expect([400, 415]).toContain(form.status);
    for (const name of READS) {
      const { status } = await app.fetch(`api/${name}?key=x`, { headers: { 'sec-fetch-site': 'cross-site' } });
      expect(status).toBe(403);
    }
    expect(app.etcd.get(KEYS.flags)).toBeDefined();
    const own = await app.send('DELETE', 'entry', body, { origin: app.origin, 'sec-fetch-site': 'same-origin' });
    expect(own.status).toBe(200);
  });

  it('refuses every write unless it is configured', async () => {
    const app = await start({ adapter, console: { write: undefined } });

    for (const [method, path] of WRITES) {
      const { status, body } = await app.send(method, path, { key: KEYS.flags, ifRevision: 2, document: {} });
      expect([status, body.message]).toEqual([
        403,
        'the console is read-only: set write: true in the options of EtcdTriggerConsoleModule',
      ]);
    }
  });

  it('answers hostile requests with a sentence', async () => {
    const app = await start({ adapter });
    const paths = [
      'assets/..%2f..%2fpackage.json',
      'assets/%2e%2e%2fconsole.module.js',
      'assets/__proto__',
      'assets/index.html',
    ];
    for (const path of paths) expect((await app.fetch(path)).status).toBe(404);

    const queries: [string, number][] = [
      ['keys?limit=501', 400],
      ['keys?limit=-1', 400],
      ['keys?offset=1e9', 400],
      ['keys?offset=999999999', 200],
      ['keys?definition=__proto__', 404],
      ['keys?cluster=constructor', 404],
      ['keys?search=%00%ff', 200],
      ['entry?key=__proto__', 404],
      ['entry', 400],
      ['history?key=/shop/flags&limit=0', 400],
      ['entry?key=/shop/flags&layer=/shop/mail', 400],
      ['parked?group=%00', 400],
    ];
    for (const [query, status] of queries) {
      const answer = await app.fetch(`api/${query}`);
      expect([query, answer.status]).toEqual([query, status]);
      expect(await answer.json()).toBeTypeOf('object');
    }
    const documents = ['{"__proto__":{"checkout":true}}', '{"constructor":{}}', '[]', 'null', '7', '"***"'];
    for (const document of documents) {
      const sent = `{"key":"${KEYS.flags}","ifRevision":2,"document":${document}}`;
      expect((await app.send('PUT', 'entry', sent)).status).toBeOneOf([400, 422, 409]);
    }
    for (const body of ['[]', '{}', `{"key":7}`, `{"key":"${KEYS.flags}","ifRevision":"2"}`]) {
      expect((await app.send('DELETE', 'entry', body)).status).toBe(400);
    }
    expect(({} as Record<string, unknown>).checkout).toBeUndefined();
  });

  it('answers a body that is larger than the limit of the application', async () => {
    const app = await start({ adapter });

    const text = 'x'.repeat(2_000_000);
    const { status } = await app.send('POST', 'check', { key: KEYS.banner, text });

    expect(status).toBe(413);
  });

  it('works with a global prefix, versions, pipes and interceptors', async () => {
    const app = await start({
      adapter,
      prepare: (each) => {
        each.setGlobalPrefix('shop/api');
        each.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
        each.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
        each.useGlobalInterceptors(new WrappingInterceptor());
      },
    });

    const page = await app.fetch('/shop/api/etcd/');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect((await app.fetch('/shop/api/etcd')).headers.get('location')).toBe('./etcd/');
    const headers = { 'content-type': 'application/json', 'x-etcd-trigger-console': '1' };
    const body = JSON.stringify({ key: KEYS.flags, document: { checkout: false, ratio: 1 } });
    const check = await app.fetch('/shop/api/etcd/api/check', { method: 'POST', headers, body });
    expect(await check.json()).toMatchObject({ violations: [], changedPaths: ['checkout', 'ratio'] });
  });

  it('never sends a secret', async () => {
    const app = await start({ adapter, audit: true });
    const secret = { host: 'h', port: 1, password: `${CANARY}-x`, replicas: `${CANARY}-y`, hosts: [`${CANARY}-z`] };
    app.etcd.put(KEYS.database, secret);
    app.etcd.put(KEYS.credentials, { user: [`${CANARY}-u`], apiKey: { deep: `${CANARY}-k` } });
    const answers: string[] = [];
    const keep = async (answer: Promise<{ readonly text: string }>): Promise<void> => {
      answers.push((await answer).text);
    };

    for (const key of [KEYS.database, KEYS.credentials, KEYS.mail]) {
      for (const layer of ['', KEYS.mailBase]) await keep(app.get('entry', { key, layer }));
      await keep(app.get('history', { key }));
      await keep(app.get('audit', { key }));
      for (const document of [{}, { user: 7 }, { password: '***', host: 7 }]) {
        await keep(app.send('POST', 'check', { key, document }));
        for (const ifRevision of [0, 2]) await keep(app.send('PUT', 'entry', { key, document, ifRevision }));
        await keep(app.send('POST', 'rollback', { key, revision: 2, ifRevision: 1 }));
      }
    }
    await keep(app.get('keys'));
    await keep(app.get('state'));

    expect(answers.join('\n')).toContain('***');
    expect(answers.filter((answer) => answer.includes(CANARY))).toEqual([]);
  });
});
