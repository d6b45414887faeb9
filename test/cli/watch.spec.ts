import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { cli } from './cli.js';

const APP = ['--app', join(import.meta.dirname, 'shop.module.ts')];
const DATABASE = { host: 'db', password: 'hunter2', pool: { size: 3 } };

describe('watch on the command line', () => {
  const etcd = ownEtcd();

  /** Watches during the changes, each of which prints a line. */
  const watched = async (args: readonly string[], ...changes: (() => Promise<unknown>)[]): Promise<string[]> => {
    const lines: string[] = [];
    const notes: string[] = [];
    const interruption = new AbortController();
    const running = cli(['watch', '/shop/', ...args, '--hosts', etcd.hosts.join()], {
      out: (line) => lines.push(line.replace(/\d+/, 'N')),
      note: (line) => notes.push(line),
      interrupted: interruption.signal,
    });
    await eventually(() => notes.includes('waiting for changes'));
    for (const change of changes) {
      const before = lines.length;
      await change();
      // Each definition has its own watch, so their lines have no common order.
      await eventually(() => lines.length > before);
    }
    interruption.abort();
    expect((await running).exitCode).toBe(0);
    return lines;
  };

  it('prints changes by property until it is interrupted', async () => {
    await etcd.put('/shop/db', DATABASE);
    await etcd.put('/shop/flags/b', { enabled: 'CANARY' });
    const lines = await watched(
      APP,
      () => etcd.put('/shop/db', { ...DATABASE, password: 'CANARY' }),
      () => etcd.put('/shop/flags/a', { enabled: 'CANARY' }),
      () => etcd.put('/shop/flags/b', { enabled: 'CANARY' }),
      () => etcd.put('/shop/mail', { server: 'mail' }),
    );

    expect(lines).toEqual([
      'put /shop/db (revision N): password',
      'invalid /shop/flags/a (revision N): enabled: isBoolean',
      'invalid /shop/flags/b (revision N): enabled: isBoolean',
      'put /shop/mail (revision N): (document)',
    ]);
  });

  it('prints existing keys first if they are asked for', async () => {
    await etcd.put('/shop/db', DATABASE);
    await etcd.put('/shop/flags/a', { enabled: true });
    await etcd.put('/shop/flags/b', { enabled: 'CANARY' });
    const lines = await watched([...APP, '--initial'], () => etcd.put('/shop/flags/a', { enabled: false }));

    expect(lines.slice(0, 3).sort()).toEqual([
      'initial /shop/db (revision N)',
      'initial /shop/flags/a (revision N)',
      'invalid /shop/flags/b (revision N): enabled: isBoolean',
    ]);
    expect(lines.slice(3)).toEqual(['put /shop/flags/a (revision N): enabled']);
    const json = await watched([...APP, '--initial', '--json']);
    expect(json.map((line) => (JSON.parse(line.replace('N', '0')) as { origin?: string }).origin)).toContain('initial');
  });

  it('does the same without an application', async () => {
    await etcd.put('/shop/a', '1');
    const change = () => etcd.put('/shop/a', '2');

    expect(await watched([], change)).toEqual(['put /shop/a (revision N)']);
    expect(await watched(['--initial'], change)).toEqual(['initial /shop/a (revision N)', 'put /shop/a (revision N)']);
  });
});
