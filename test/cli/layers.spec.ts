import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CANARY } from '../console/console.configs.js';
import { LAYERS, MAILER, WEBHOOK, WEBHOOK_BASE } from '../console/layered.configs.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli, type CliResult } from './cli.js';

const APP = join(import.meta.dirname, 'layered.module.ts');

describe('a secret whose class the document tells', () => {
  const etcd = ownEtcd();
  const withApp = (...args: string[]): Promise<CliResult> => cli([...args, '--hosts', etcd.hosts.join(), '--app', APP]);

  it('is masked in a merge that has chosen another class', async () => {
    await etcd.putTogether(LAYERS);
    for (const key of [MAILER, WEBHOOK]) {
      for (const command of [['get', key], ['get', key, '--json'], ['history', key], ['schema']]) {
        const { exitCode, out, notes } = await withApp(...command);
        expect([command, exitCode, notes]).toEqual([command, 0, []]);
        expect([exitCode, out.join('\n')]).toEqual([0, expect.not.stringContaining(CANARY)]);
      }
    }
    const { out: json } = await withApp('get', MAILER, '--json');
    expect(JSON.parse(json.join(''))).toMatchObject({ from: { 'auth.kind': { source: 'layer', layer: MAILER } } });
    expect((await withApp('get', MAILER, '--reveal')).out.join('\n')).toContain(`${CANARY}-pin`);
  });

  it('is not a reason to miss an invalid layer', async () => {
    await etcd.put(MAILER, { host: 7 });

    const { exitCode, out } = await withApp('check');
    const invalid = expect.stringMatching(/^invalid {2}\/mailer[^]*host of layer "\/mailer": isString/m) as string;
    expect([exitCode, out.join('\n')]).toEqual([1, invalid]);
    expect((await withApp('get', MAILER)).exitCode).toBe(1);
  });

  it('is left out by pull', async () => {
    await etcd.put('/hooks/a', LAYERS[WEBHOOK_BASE]);

    expect(await withApp('pull', '/hooks/', 'never-written')).toEqual({
      exitCode: 1,
      out: [],
      notes: ['left out "/hooks/a": it has secrets'],
    });
  });
});

describe('a layer in another format', () => {
  const etcd = ownEtcd();

  it('is compared with its file', async () => {
    await using folder = await TemporaryFolder.create();
    await etcd.put('/yaml/flag', 'enabled: true\n');
    writeFileSync(join(folder.path, 'flag.json'), '{"enabled":true}');

    const args = ['diff', '/yaml/', '.', '--hosts', etcd.hosts.join(), '--app', APP];
    expect(await cli(args, { directory: folder.path })).toEqual({ exitCode: 0, out: [], notes: ['no differences'] });
  });
});
