import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli } from './cli.js';

const APP = join(import.meta.dirname, 'shop.module.ts');
const DATABASE = { host: 'db', password: 'hunter2', pool: { size: 3 } };

describe('the command line', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const inFolder = () => ({ directory: folder.path });
  const withApp = (...args: string[]) => cli([...args, '--app', APP, '--hosts', etcd.hosts.join()], inFolder());
  const without = (...args: string[]) => cli([...args, '--hosts', etcd.hosts.join()], inFolder());
  const stored = async (key: string): Promise<unknown> => JSON.parse((await etcd.direct.get(key).string()) ?? 'null');

  it('check reports what is missing, invalid and unknown, by property and without values', async () => {
    await etcd.put('/shop/flags/a', { enabled: 'CANARY' });
    await etcd.put('/shop/flags/b', { enabled: true, colour: 'CANARY' });
    const { exitCode, out, notes } = await withApp('check');

    expect(out).toEqual([
      'missing  /shop/db (Database)',
      expect.stringMatching(/^invalid {2}\/shop\/flags\/a \(Flag, revision \d+\)$/),
      '  enabled: isBoolean',
      expect.stringMatching(/^unknown {2}\/shop\/flags\/b \(Flag, revision \d+\)$/),
      '  colour: unknown',
    ]);
    expect(notes).toEqual(['2 problems in 2 keys of 3 definitions']);
    expect(exitCode).toBe(1);
    const json = JSON.parse((await withApp('check', '--json')).out.join('')) as { findings: { problem: string }[] };
    expect(json.findings.map(({ problem }) => problem)).toEqual(['missing', 'invalid', 'unknown']);
  });

  it('check fails for unknown properties only if it is strict', async () => {
    await etcd.put('/shop/db', { ...DATABASE, colour: 'red' });
    expect((await withApp('check')).exitCode).toBe(0);
    expect((await withApp('check', '--strict')).exitCode).toBe(1);
  });

  it('get masks secrets, unless they are asked for', async () => {
    await etcd.put('/shop/db', DATABASE);
    expect(JSON.parse((await withApp('get', '/shop/db')).out.join(''))).toEqual({ ...DATABASE, password: '***' });
    expect(JSON.parse((await withApp('get', '/shop/db', '--reveal')).out.join(''))).toEqual(DATABASE);
    expect(await withApp('get', '/shop/mail')).toMatchObject({
      exitCode: 1,
      out: [],
      notes: ['"/shop/mail" does not exist'],
    });
    expect((await without('get', '/shop/db')).out).toEqual([JSON.stringify(DATABASE)]);
  });

  it('get names the violations of a value, and does not print it', async () => {
    await etcd.put('/shop/db', { ...DATABASE, pool: { size: 1_000_000 } });
    const { exitCode, out, notes } = await withApp('get', '/shop/db');
    expect([exitCode, out, notes.slice(1)]).toEqual([1, [], ['  pool.size: max']]);
  });

  it('set validates the value, and writes only in the demanded state', async () => {
    const invalid = await withApp('set', '/shop/db', '{"host":"CANARY"}');
    expect(invalid.exitCode).toBe(1);
    expect(invalid.notes).toEqual([
      expect.stringMatching(/^error: the value for "\/shop\/db" is invalid: .*password: isString/),
    ]);
    expect(invalid.notes.join()).not.toContain('CANARY');

    expect((await withApp('set', '/shop/db', JSON.stringify(DATABASE), '--if-absent')).exitCode).toBe(0);
    expect(await stored('/shop/db')).toEqual(DATABASE);
    expect((await withApp('set', '/shop/db', JSON.stringify(DATABASE), '--if-absent')).exitCode).toBe(1);
    expect((await without('set', '/shop/db', '{}')).exitCode).toBe(2);
    expect((await without('set', '/shop/db', '{}', '--raw')).exitCode).toBe(0);
    expect(await stored('/shop/db')).toEqual({});
  });

  it('set reads YAML files and standard input', async () => {
    writeFileSync(join(folder.path, 'flag.yaml'), 'enabled: true\n');
    expect((await withApp('set', '/shop/flags/a', '--file', 'flag.yaml')).exitCode).toBe(0);
    const read = (): Promise<string> => Promise.resolve('{"enabled":false}');
    const args = ['set', '/shop/flags/b', '--file', '-', '--app', APP, '--hosts', etcd.hosts.join()];
    expect((await cli(args, { ...inFolder(), read })).exitCode).toBe(0);
    expect([await stored('/shop/flags/a'), await stored('/shop/flags/b')]).toEqual([
      { enabled: true },
      { enabled: false },
    ]);
  });

  it('history shows what each write has changed, and rollback writes a value again', async () => {
    const first = await etcd.put('/shop/db', DATABASE);
    await etcd.put('/shop/db', { ...DATABASE, pool: { size: 4 } });
    await etcd.put('/shop/db', { ...DATABASE, pool: { size: 0 } });
    const { out } = await withApp('history', '/shop/db');
    const lines = out.filter((line) => line.startsWith('revision')).map((line) => line.replace(/\d+/, 'N'));
    // Values before the deletion of the key follow.
    expect(lines.slice(0, 3)).toEqual([
      'revision N: invalid',
      'revision N: changed pool.size',
      expect.stringMatching(/^revision N: (the oldest value|changed|valid again|no change)/),
    ]);
    expect(out.join()).not.toContain('hunter2');
    await etcd.put('/shop/db', { ...DATABASE, pool: { size: 4 }, password: 'CANARY' });
    await etcd.put('/shop/db', { ...DATABASE, pool: { size: 4 } });
    const { out: secret } = await withApp('history', '/shop/db', '--limit', '1');
    expect(secret[0]).toMatch(/^revision \d+: changed password$/);
    expect(secret.join()).not.toContain('CANARY');

    expect((await withApp('rollback', '/shop/db', String(first))).exitCode).toBe(0);
    expect(await stored('/shop/db')).toEqual(DATABASE);
    expect((await withApp('rollback', '/shop/db', String(first + 2))).exitCode).toBe(1);
  });

  it('pull writes files, which diff and push compare and write back', async () => {
    await etcd.putTogether({
      '/shop/flags/new-checkout': { enabled: true },
      '/shop/flags/eu/beta': { enabled: false },
      '/shop/flags/old': { enabled: true },
    });
    expect((await withApp('pull', '/shop/flags/', 'flags', '--format', 'yaml')).exitCode).toBe(0);
    expect(readFileSync(join(folder.path, 'flags/eu/beta.yaml'), 'utf8')).toBe('enabled: false\n');
    expect((await withApp('diff', '/shop/flags/', 'flags')).exitCode).toBe(0);

    mkdirSync(join(folder.path, 'changed/eu'), { recursive: true });
    writeFileSync(join(folder.path, 'changed/eu/beta.json'), '{"enabled":true}');
    writeFileSync(join(folder.path, 'changed/added.yaml'), 'enabled: false');
    const differences = [
      'add /shop/flags/added',
      'change /shop/flags/eu/beta: enabled',
      'delete /shop/flags/new-checkout',
      'delete /shop/flags/old',
    ];
    expect(await withApp('diff', '/shop/flags/', 'changed')).toMatchObject({ exitCode: 1, out: differences });
    expect(await withApp('push', '/shop/flags/', 'changed')).toMatchObject({ exitCode: 0, out: differences });
    expect((await without('push', '/shop/flags/', 'changed')).notes).toContain(
      'the documents were not validated: add --app',
    );
    expect(await stored('/shop/flags/added')).toBeNull();

    expect((await withApp('push', '/shop/flags/', 'changed', '--apply')).exitCode).toBe(0);
    expect(await stored('/shop/flags/eu/beta')).toEqual({ enabled: true });
    expect(await stored('/shop/flags/old')).toEqual({ enabled: true });
    expect((await withApp('push', '/shop/flags/', 'changed', '--apply', '--prune')).exitCode).toBe(0);
    expect(await stored('/shop/flags/old')).toBeNull();
  });

  it('push writes nothing if one of the documents is invalid', async () => {
    mkdirSync(join(folder.path, 'invalid'));
    writeFileSync(join(folder.path, 'invalid/a.json'), '{"enabled":true}');
    writeFileSync(join(folder.path, 'invalid/b.json'), '{"enabled":"CANARY"}');
    expect(await withApp('push', '/shop/flags/', 'invalid')).toEqual({
      exitCode: 1,
      out: ['add /shop/flags/a', 'add /shop/flags/b', '  invalid  enabled: isBoolean'],
      notes: ['2 differences', '1 document would be rejected'],
    });
    const { out: json } = await withApp('push', '/shop/flags/', 'invalid', '--json');
    expect(JSON.parse(json.join(''))).toMatchObject({
      differences: [{ violations: [] }, { violations: [{ path: 'enabled', constraints: ['isBoolean'] }] }],
    });
    const { exitCode, notes } = await withApp('push', '/shop/flags/', 'invalid', '--apply');
    expect([exitCode, notes.join()]).toEqual([1, expect.not.stringContaining('CANARY')]);
    expect(await stored('/shop/flags/a')).toBeNull();
  });

  it('push writes nothing if a document of a later transaction is invalid', async () => {
    mkdirSync(join(folder.path, 'many'));
    for (let index = 100; index < 221; index += 1) {
      writeFileSync(join(folder.path, `many/${index}.json`), JSON.stringify({ enabled: index < 220 || 'CANARY' }));
    }
    const { exitCode, notes } = await withApp('push', '/shop/flags/', 'many', '--apply');

    expect([exitCode, notes]).toEqual([1, ['error: the value for "/shop/flags/220" is invalid: enabled: isBoolean']]);
    expect(await stored('/shop/flags/100')).toBeNull();
  });

  it('pull leaves out what has secrets, and prune does not delete it', async () => {
    await etcd.put('/shop/db', DATABASE);
    const { exitCode, out, notes } = await withApp('pull', '/shop/', 'pulled');
    expect([exitCode, out, notes]).toEqual([1, [], ['left out "/shop/db": it has secrets']]);
    mkdirSync(join(folder.path, 'pulled'), { recursive: true });
    expect((await withApp('push', '/shop/', 'pulled', '--apply', '--prune')).exitCode).toBe(0);
    expect(await stored('/shop/db')).toEqual(DATABASE);
  });

  it('diff and push do not confirm a secret that is guessed, unless secrets are revealed', async () => {
    await etcd.put('/shop/db', DATABASE);
    const diff = async (password: string, ...flags: string[]): Promise<[number, readonly string[]]> => {
      const name = join('guess', 'db.json');
      mkdirSync(join(folder.path, 'guess'), { recursive: true });
      writeFileSync(join(folder.path, name), JSON.stringify({ ...DATABASE, password }));
      const { exitCode, out } = await withApp('diff', '/shop/', 'guess', ...flags);
      const pushed = await withApp('push', '/shop/', 'guess', ...flags);
      expect(pushed.out).toEqual(out);
      return [exitCode, out];
    };

    for (const guess of [DATABASE.password, 'wrong']) {
      expect(await diff(guess)).toEqual([1, ['change /shop/db: password']]);
    }
    expect(await diff(DATABASE.password, '--reveal')).toEqual([0, []]);
    expect(await diff('wrong', '--reveal')).toEqual([1, ['change /shop/db: password']]);
    expect(await diff('***')).toEqual([0, []]);
  });

  it('prints no character of a key that controls a terminal, also as JSON', async () => {
    const key = '/shop/flags/\u009b31m\u202ea';
    await etcd.put(key, { enabled: 'no' });
    const watched: string[] = [];
    const interruption = new AbortController();
    const args = ['watch', '/shop/', '--initial', '--json', '--app', APP, '--hosts', etcd.hosts.join()];
    const out = (line: string): number => watched.push(line);
    const running = cli(args, { ...inFolder(), out, interrupted: interruption.signal });
    await eventually(() => watched.length === 1);
    interruption.abort();
    await running;
    const found = (await withApp('check', '--json')).out.join('\n');

    for (const text of [...watched, found]) {
      expect(text).toContain('\\u009b31m\\u202ea');
      expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    }
    expect(JSON.parse(watched.join(''))).toMatchObject({ key });
  });

  it('get prints no character of a value that controls a terminal, and the value as it is elsewhere', async () => {
    const hostile = '\u001b]0;title\u0007\u001b[2Ja\r\u009b31m\u202e\tb\n{"c":1}';
    await etcd.put('/text', hostile);

    const terminal = { ...inFolder(), isTerminal: true };
    const { out } = await cli(['get', '/text', '--hosts', etcd.hosts.join()], terminal);
    expect(out).toEqual([String.raw`\u001b]0;title\u0007\u001b[2Ja\r\u009b31m\u202e` + '\tb', '{"c":1}']);
    expect((await without('get', '/text')).out.join('\n')).toBe(hostile);
  });

  it('pull leaves out keys whose names the file system does not take', async () => {
    await etcd.put('/shop/flags/a', { enabled: true });
    await etcd.put('/shop/flags/a.json/b', { enabled: true });
    await etcd.put(`/shop/flags/${'k'.repeat(300)}`, { enabled: true });
    await etcd.put('/shop/flags/y//', { enabled: true });
    await etcd.put('/shop/flags/z', { enabled: true });
    const { exitCode, out, notes } = await withApp('pull', '/shop/flags/', 'pulled');

    expect([exitCode, out]).toEqual([1, ['a.json', 'z.json']]);
    expect(notes).toEqual([
      'left out "/shop/flags/a.json/b": its file cannot be written (EEXIST)',
      `left out "/shop/flags/${'k'.repeat(288)}...": its file cannot be written (ENAMETOOLONG)`,
      'left out "/shop/flags/y//": the key "/shop/flags/y//" has an empty part, so it has no file name',
    ]);
  });

  it('schema prints JSON Schemas without a connection', async () => {
    const { exitCode, out } = await cli(['schema', '--app', APP]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out.join('\n'))).toMatchObject([
      { target: { key: '/shop/db' }, schema: { properties: { host: { type: 'string' } } } },
      { target: { key: '/shop/mail' } },
      { target: { prefix: '/shop/flags/' } },
    ]);
  });

  it('takes the connection from the environment and from a configuration file', async () => {
    await etcd.put('/prod/shop/flags/a', { enabled: true });
    const file = join(folder.path, 'etcd-trigger.config.json');
    writeFileSync(file, JSON.stringify({ client: { hosts: etcd.hosts }, keyPrefix: '/prod', app: APP }));
    const env = { ETCD_HOSTS: etcd.hosts.join(), ETCD_KEY_PREFIX: '/other' };
    const get = ['get', '/shop/flags/a'];

    expect((await cli(get, inFolder())).exitCode).toBe(0);
    expect((await cli(get, { ...inFolder(), env })).exitCode).toBe(1);
  });

  it.each(['js', 'mjs', 'cjs', 'json'])('reads etcd-trigger.config.%s', async (ending) => {
    const config = JSON.stringify({ client: { hosts: etcd.hosts } });
    const before =
      { js: 'module.exports = ', mjs: 'export default ', cjs: 'module.exports = ', json: '' }[ending] ?? '';
    writeFileSync(join(folder.path, `etcd-trigger.config.${ending}`), before + config);
    await etcd.put('/k', 'v');

    expect(await cli(['get', '/k'], inFolder())).toMatchObject({ exitCode: 0, out: ['v'] });
  });

  it.each([
    [['check', '--hosts', 'localhost:1'], 2, 'check needs --app'],
    [['get', '/k'], 2, 'no etcd is named'],
    [['get', '/k', '--hosts', '127.0.0.1:1'], 3, 'nothing listens at 127.0.0.1:1'],
    [['check', '--app', APP, '--hosts', '127.0.0.1:1'], 3, 'error: key "/shop/db": list key "/shop/db": no connection'],
    [['get', '/k', '--hosts', 'ftp://x'], 2, 'ftp'],
    [['get', '/k', '--hosts', '127.0.0.1:1', '--user', 'root'], 2, 'ETCD_PASSWORD'],
    [['get', '/k', '--hosts', '127.0.0.1:1', '--cacert', 'missing.pem'], 2, '--cacert cannot be read: missing.pem'],
    [['get', '/elsewhere', '--app', APP, '--hosts', 'HOSTS'], 2, 'no definition of the application covers'],
    [['check', '--app', 'missing.js', '--hosts', 'HOSTS'], 2, 'missing.js cannot be loaded'],
    [['check', '--app', APP, '--cluster', 'x', '--hosts', 'HOSTS'], 2, 'no cluster "x": its clusters are default'],
    [['rollback', '/shop/db', 'x', '--app', APP, '--hosts', 'HOSTS'], 2, 'positive integer'],
    [['chekc'], 2, 'Did you mean check?'],
    [['get'], 2, "missing required argument 'key'"],
  ])('%j ends with code %i and one sentence', async (args, expected, sentence) => {
    const given = args.map((arg) => (arg === 'HOSTS' ? etcd.hosts.join() : arg));
    const { exitCode, notes } = await cli(given, { directory: import.meta.dirname });
    expect(notes.join('\n')).toContain(sentence);
    expect(exitCode).toBe(expected);
  });

  it('prints help with examples and exit codes', async () => {
    const { exitCode, out } = await cli(['--help']);
    expect(exitCode).toBe(0);
    expect(out.join('\n')).toContain('Exit codes:');
    expect(out.join('\n')).toContain('etcd-trigger.config.js (or .mjs, .cjs, .json)');
    expect((await cli(['push', '--help'])).out.join('\n')).toContain('etcd-trigger push /shop/ config --apply');
  });
});
