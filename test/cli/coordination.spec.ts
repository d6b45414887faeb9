import { join } from 'node:path';
import { ClusterLocks } from 'nestjs-etcd-trigger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startSecured } from '../support/secured-cluster.js';
import { startApp, type StartedApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli } from './cli.js';
import { Worker } from './worker.module.js';

const APP = join(import.meta.dirname, 'worker.module.ts');
const PREFIX = ['--coordination', '/co'];

describe('the lists of the command line', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const run = (...args: string[]) => cli([...args, '--hosts', etcd.hosts.join()], { directory: folder.path });
  const start = (): Promise<StartedApp> =>
    startApp(
      { hosts: etcd.hosts, podName: 'pod-1', coordination: { prefix: '/co', ttlSeconds: 5, settleMs: 100 } },
      { providers: [Worker] },
    );
  const owned = (): Promise<unknown> =>
    eventually(async () => {
      const [crons, groups, elections] = await Promise.all(
        ['crons', 'groups', 'elections'].map(async (list) => (await run(list, ...PREFIX)).out.join()),
      );
      return [crons, elections].every((list) => list?.includes('pod-1')) && groups?.includes('2 of 2') === true;
    });

  it('show what the instances share, take part in nothing and write nothing', async () => {
    await using started = await start();
    const worker = started.app.get(Worker);
    const lock = await started.app.get(ClusterLocks).acquire('import');
    await owned();
    const before = (await etcd.direct.getAll().prefix('/co/').keys()).sort();

    expect((await run('elections', ...PREFIX)).out).toEqual([
      expect.stringMatching(/^ELECTION {2}OWNER {2}SINCE +CANDIDATES$/),
      expect.stringMatching(/^leader {4}pod-1 {2}revision \d+ +1$/),
    ]);
    expect((await run('locks', ...PREFIX)).out[1]).toMatch(/^import {2}pod-1 {2}revision \d+ +0$/);
    expect((await run('groups', ...PREFIX)).out[1]).toMatch(
      /^orders {2}prefix:\/orders\/ {2}2 of 2 {2}pod-1 {3}1 +revision \d+ +\S+Z {2}0$/,
    );
    const { crons } = JSON.parse((await run('crons', '--app', APP, '--json')).out.join('')) as {
      crons: { name: string; owner: object; nextTick: string; instances: number }[];
    };
    expect(crons).toMatchObject([{ name: 'nightly', instances: 1, owner: { pod: 'pod-1' } }]);
    expect(crons[0]?.nextTick).toMatch(/T02:30:00.000Z$/);
    expect((await etcd.direct.getAll().prefix('/co/').keys()).sort()).toEqual(before);
    await lock.release();
    expect(worker.calls).toEqual([]);
  });

  it('redrive, repartition and reset a group', async () => {
    await using started = await start();
    const worker = started.app.get(Worker);
    await owned();
    await etcd.direct.put('/orders/\u001b[31mred\nline').value('bad');
    const parked = () => run('groups', 'parked', 'orders', ...PREFIX);
    await eventually(async () => (await parked()).out.length > 1);

    expect((await parked()).out[1]).toMatch(/^\d+ +put +\/orders\/\\u001b\[31mred\\nline +1 +Error +\S+Z +no$/);
    expect((await run('groups', 'parked', 'orders', '--json', ...PREFIX)).out.join('')).toContain('\\u001b[31mred\\n');
    worker.isBroken = false;
    expect(await run('groups', 'redrive', 'orders', ...PREFIX)).toMatchObject({
      exitCode: 0,
      out: ['1 parked event of the group "orders" will be handled again'],
    });
    await eventually(async () => (await parked()).notes.includes('there are no parked events'));
    expect(worker.calls).toHaveLength(1);
    const busy = await run('groups', 'repartition', 'orders', '4', ...PREFIX);
    expect(busy).toMatchObject({ exitCode: 1, out: [] });
    expect(busy.notes.join()).toMatch(/stop all instances with the former number|let the instances handle it first/);

    await started[Symbol.asyncDispose]();
    expect(await run('groups', 'repartition', 'orders', '4', ...PREFIX)).toMatchObject({ exitCode: 0 });
    expect((await run('groups', ...PREFIX)).out[1]).toContain('0 of 4');
    expect(await run('groups', 'reset', 'orders', '--from', 'now', ...PREFIX)).toMatchObject({
      exitCode: 0,
      out: ['the group "orders" begins again with the next change'],
    });
    expect((await etcd.direct.getAll().prefix('/co/v1/groups/orders/cursors/').keys()).length).toBe(4);
  });

  it.each([
    [['groups', 'redrive', 'none'], 1, 'error: etcd has no group "none": no instance has used it yet'],
    [['groups', 'reset', 'none', '--from', 'now'], 1, 'error: etcd has no group "none": no instance has used it yet'],
    [['groups', 'redirve', 'orders'], 2, "error: too many arguments for 'groups'. Expected 0 arguments but got 2."],
    [['groups', 'parked', 'a/b'], 2, expect.stringMatching(/^error: the name of a group must be 1 to 128 of/)],
    [['groups', 'repartition', 'x', '43'], 2, 'error: the number of partitions must be an integer from 1 to 42'],
  ])('refuse %j', async (args, exitCode, note) => {
    expect(await run(...args, ...PREFIX)).toEqual({ exitCode, out: [], notes: [note] });
  });

  it('are empty without an error where nothing is shared', async () => {
    for (const [list, what] of [['elections'], ['locks'], ['crons', 'cron jobs'], ['groups']] as const) {
      expect(await run(list, '--coordination', '/unused')).toEqual({
        exitCode: 0,
        out: [],
        notes: [`there are no ${what ?? list}`],
      });
    }
  });

  it('need the prefix, and say where it comes from', async () => {
    expect((await run('elections')).notes).toEqual([
      'error: no coordination is named: set --coordination to its prefix, or --app',
    ]);
    expect((await run('elections', '--app', join(import.meta.dirname, 'shop.module.ts'))).notes).toEqual([
      'error: the options of the application come from a factory, which is not called: set --coordination to its prefix, or "coordination" in etcd-trigger.config.js',
    ]);
    expect(await run('elections', '--app', 'absent.js')).toMatchObject({ exitCode: 2, out: [] });
  });

  it('escape what other clients have stored', async () => {
    const name = '\u001b]0;owned\u0007\u009b31m\u202e\nx';
    const value = JSON.stringify({ v: 1, instance: name, pod: name, service: name });
    for (const kind of ['elections/a', `elections/${name}`, `crons/${name}/owner`, `locks/${name}/1`])
      await etcd.direct.put(`/hostile/v1/${kind}`).value(value);
    await etcd.direct.put(`/hostile/v1/groups/${name}/config`).value('{"v":1,"target":"\\u001b[31m","partitions":1}');
    await etcd.direct.put(`/hostile/v1/groups/broken/config`).value('[');
    await etcd.direct.put('/hostile/v1/groups/broken/cursors/000').value('x');
    await etcd.direct.put(`/hostile/v1/instances/i`).value('null');

    for (const list of ['elections', 'locks', 'crons', 'groups']) {
      for (const form of [[], ['--json']]) {
        const { exitCode, out, notes } = await run(list, '--coordination', '/hostile', ...form);
        expect(exitCode, `${list} ${notes.join()}`).toBe(0);
        expect(out.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(out.join('')).toContain('owned');
      }
    }
  });

  it('need read permission for the prefix, and no other one', async () => {
    await using secured = await startSecured();
    const { etcd: server, admin } = secured;
    await admin.role('reader').create();
    await admin.role('reader').grant({ permission: 'Read', range: admin.range({ prefix: '/co/' }) });
    await admin.user('reader').create('pw');
    await admin.user('reader').addRole('reader');
    await admin.put('/co/v1/groups/orders/config').value('{"v":1,"target":"t","partitions":1}');
    const read = (...args: string[]) =>
      cli([...args, '--hosts', server.hosts.join(), '--user', 'reader:pw'], { directory: folder.path });

    for (const list of ['elections', 'locks', 'crons', 'groups'])
      expect(await read(list, ...PREFIX)).toMatchObject({ exitCode: 0 });
    for (const args of [
      ['groups', '--coordination', '/other'],
      ['groups', 'repartition', 'orders', '2', ...PREFIX],
      ['groups', 'reset', 'orders', '--from', 'now', ...PREFIX],
    ])
      expect((await read(...args)).exitCode).toBeGreaterThan(0);
    expect(await read('groups', '--coordination', '/other')).toMatchObject({
      exitCode: 3,
      out: [],
      notes: [expect.stringContaining('permission denied')],
    });
  });

  it('end with the exit code 3 if etcd cannot be reached', async () => {
    const { exitCode, notes } = await cli(['groups', ...PREFIX, '--hosts', '127.0.0.1:1'], { directory: folder.path });
    expect(exitCode).toBe(3);
    expect(notes).toHaveLength(1);
  });
});
