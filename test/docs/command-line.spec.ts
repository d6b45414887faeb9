import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { GroupRegistry } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { cli } from '../cli/cli.js';
import { Worker } from '../cli/worker.module.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { testFolder } from '../support/test-folder.js';

const GUIDE = readFileSync('docs/command-line.md', 'utf8');
const [, CONFIG = ''] = /^```js title="etcd-trigger\.config\.mjs"\n([\s\S]*?)^```$/m.exec(GUIDE) ?? [];
const COMMANDS = Array.from(GUIDE.matchAll(/^npx etcd-trigger (.*)$/gm), ([, command = '']) => command);

describe('docs/command-line.md', () => {
  const etcd = ownEtcd();

  it('shows commands that do what it says', async () => {
    const directory = await testFolder();
    mkdirSync(join(directory, 'dist'));
    const app = resolve('test/cli/shop-layers.module.ts');
    writeFileSync(join(directory, 'etcd-trigger.config.mjs'), CONFIG.replace("'dist/app.module.js'", `'${app}'`));
    await etcd.put('/shop/db', { host: 'db', password: 'secret', pool: { size: 1 } });
    await etcd.putTogether({ '/shop/flags/beta': { enabled: true }, '/shop/flags/eu/beta': { enabled: false } });
    await startAndStopWorker(etcd.hosts);
    const { ETCD_HOSTS } = process.env;
    process.env.ETCD_HOSTS = etcd.hosts.join();
    try {
      expect(COMMANDS.length).toBeGreaterThan(8);
      for (const command of COMMANDS) {
        const args = Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '');
        expect(await cli(args, { directory }), command).toMatchObject({ exitCode: 0 });
      }
    } finally {
      if (ETCD_HOSTS === undefined) delete process.env.ETCD_HOSTS;
      else process.env.ETCD_HOSTS = ETCD_HOSTS;
    }
    expect(await etcd.direct.get('/prod/cache').json()).toEqual({ ttlSeconds: 300 });
    expect(readFileSync(join(directory, 'config/flags/eu/beta.yaml'), 'utf8')).toBe('enabled: false\n');
  });
});

/** An application with the group `orders` leaves it in etcd. */
async function startAndStopWorker(hosts: string[]): Promise<void> {
  const coordination = { prefix: '/coordination/shop', settleMs: 100 };
  const worker = await startApp({ hosts, coordination }, { providers: [Worker] });
  await eventually(() =>
    worker.app
      .get(GroupRegistry)
      .list()
      .every(({ partitions }) => partitions.every(({ state }) => state === 'following')),
  );
  await worker[Symbol.asyncDispose]();
}
