import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRecord } from 'nestjs-etcd-trigger';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli, type CliResult } from './cli.js';

const APP = join(import.meta.dirname, 'shop.module.ts');

describe('the audit trail of the command line', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const run = (...args: string[]): Promise<CliResult> =>
    cli([...args, '--hosts', etcd.hosts.join(), '--audit', '/audit'], { directory: folder.path });
  const withApp = (...args: string[]): Promise<CliResult> => run(...args, '--app', APP);
  const recordsOf = async (key: string): Promise<Partial<AuditRecord>[]> => {
    const { out } = await run('audit', key, '--json');
    return (JSON.parse(out.join('')) as { records: Partial<AuditRecord>[] }).records;
  };

  it('records who has set, rolled back and pushed a value, and why', async () => {
    await withApp('set', '/shop/flags/a', '{"enabled":true}', '--author', 'ada', '--reason', 'OPS-1');
    const [first] = await recordsOf('/shop/flags/a');
    await withApp('set', '/shop/flags/a', '{"enabled":false}');
    await withApp('rollback', '/shop/flags/a', `${first?.revision ?? 0}`, '--reason', 'oops');
    writeFileSync(join(folder.path, 'a.json'), '{"enabled":false}');
    await withApp('push', '/shop/flags/', '.', '--apply', '--author', 'pipeline');

    expect(await recordsOf('/shop/flags/a')).toMatchObject([
      { action: 'put', author: 'pipeline', changedPaths: ['enabled'] },
      { action: 'rollback', author: 'tester', reason: 'oops', changedPaths: ['enabled'] },
      { action: 'put', author: 'tester', changedPaths: ['enabled'] },
      { action: 'put', author: 'ada', reason: 'OPS-1', fromRevision: 0, instance: { serviceName: 'etcd-trigger-cli' } },
    ]);
    const { out, exitCode } = await run('audit', '/shop/flags/a', '--limit', '1');
    expect(exitCode).toBe(0);
    expect(out[0]).toMatch(/^REVISION {2}TIME +AUTHOR +ACTION +KEY +FROM +CHANGED +REASON +INSTANCE$/);
    expect(out[1]).toMatch(/^\d+ +\S+Z +pipeline +put +\/shop\/flags\/a +\d+ +enabled +\S+$/);
    expect(out).toHaveLength(2);
  });

  it('records what is written without a validation, also without an application', async () => {
    await withApp('set', '/shop/flags/raw', '{"enabled":true}');
    await withApp('set', '/shop/flags/raw', '{"enabled":7}', '--raw', '--author', 'ada', '--reason', 'OPS-2');
    await run('set', '/shop/flags/raw', 'no document', '--raw');

    const [last, second, first] = await recordsOf('/shop/flags/raw');
    expect(second).toMatchObject({ author: 'ada', reason: 'OPS-2', action: 'put', changedPaths: ['enabled'] });
    expect(second?.fromRevision).toBe(first?.revision);
    expect(last).toMatchObject({ author: 'tester', fromRevision: second?.revision });
    expect(last).not.toHaveProperty('changedPaths');
    expect((await withApp('set', '/shop/flags/raw', '1', '--raw', '--author', '')).exitCode).toBe(2);
  });

  it('does not confirm a secret that is pushed', async () => {
    const database = { host: 'a', password: 'CANARY', pool: { size: 1 } };
    await withApp('set', '/shop/db', JSON.stringify(database));
    writeFileSync(join(folder.path, 'db.json'), JSON.stringify({ ...database, pool: { size: 2 } }));
    await withApp('push', '/shop/', '.', '--apply');

    const [record] = await recordsOf('/shop/db');
    expect(record?.changedPaths).toEqual(['password', 'pool.size']);
  });

  it('pushes in transactions that have room for their records', async () => {
    for (let index = 0; index < 70; index += 1) writeFileSync(join(folder.path, `f${index}.json`), '{"enabled":true}');
    const { exitCode, notes } = await withApp('push', '/shop/flags/', '.', '--apply');

    expect({ exitCode, notes }).toEqual({ exitCode: 0, notes: ['70 writes need 2 transactions'] });
    expect(await recordsOf('/shop/flags/f69')).toHaveLength(1);
  });

  it('escapes what a writer has recorded', async () => {
    const hostile = '\u001b[31mada\n\u202e';
    await withApp('set', '/shop/flags/a', '{"enabled":true}', '--author', hostile, '--reason', hostile);
    for (const form of [[], ['--json']]) {
      const { out } = await run('audit', '/shop/flags/a', ...form);
      expect(out.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(out.join('')).toContain('ada');
    }
  });

  it('has its prefix in etcd-trigger.config', async () => {
    const config = { app: APP, client: { hosts: etcd.hosts }, audit: { prefix: '/audit', keepDays: 1 } };
    writeFileSync(join(folder.path, 'etcd-trigger.config.json'), JSON.stringify(config));
    await cli(['set', '/shop/flags/a', '{"enabled":true}'], { directory: folder.path });

    expect(await recordsOf('/shop/flags/a')).toHaveLength(1);
  });

  it('says what is missing', async () => {
    expect(await run('audit', '/shop/flags/a')).toEqual({
      exitCode: 1,
      out: [],
      notes: ['the audit trail has no record of "/shop/flags/a"'],
    });
    const without = await cli(['audit', '/a', '--hosts', etcd.hosts.join()], { directory: folder.path });
    expect(without).toMatchObject({ exitCode: 2, notes: [expect.stringContaining('there is no audit trail')] });
    const covered = await cli(['audit', '/a', '--hosts', etcd.hosts.join(), '--app', APP, '--audit', '/shop/flags/x'], {
      directory: folder.path,
    });
    expect(covered).toMatchObject({ exitCode: 2, notes: [expect.stringContaining('overlaps "audit.prefix"')] });
    const unnamed = await withApp('set', '/shop/flags/a', '{"enabled":true}', '--author', '');
    expect(unnamed).toMatchObject({
      exitCode: 2,
      notes: [expect.stringContaining('author must be a string of 1 to 256')],
    });
  });

  it('shows colours only where the terminal does', async () => {
    await withApp('set', '/shop/flags/a', '{"enabled":true}');
    const args = ['audit', '/shop/flags/a', '--hosts', etcd.hosts.join(), '--audit', '/audit'];
    const given = { directory: folder.path };

    expect((await cli(args, given)).out[0]).not.toContain('\u001b');
    expect((await cli(args, { ...given, hasColors: true })).out[0]).toContain('\u001b[1m');
  });
});
