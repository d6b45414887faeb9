import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3, type IOptions } from 'etcd3';
import { BootError, type ConfigDefinition, type EtcdTriggerOptions } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { Database, Limit } from '../support/configs.js';
import { APP, ROOT, type SecuredCluster, startSecured } from '../support/secured-cluster.js';
import { startApp, type StartedApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { type BootCell, bootTable, type SnapshotState } from './module.boot-table.js';

const CONFIGS: ConfigDefinition[] = [
  { key: '/db', type: Database, required: true },
  { key: '/optional', type: Limit },
  { key: '/defaulted', type: Limit, default: { count: 3 } },
  { prefix: '/limits/', type: Limit, required: true },
];
/** The definitions of the rows in which invalid values are skipped. */
const SKIPPING: ConfigDefinition[] = [
  { key: '/db', type: Database, onInvalid: 'skip' },
  { key: '/optional', type: Limit, onInvalid: 'skip' },
  { key: '/defaulted', type: Limit, default: { count: 3 } },
  { prefix: '/limits/', type: Limit },
];
const GOOD = { '/db': '{"host":"live"}', '/limits/a': '{"count":1}', '/optional': '{"count":2}' };
const SAVED = { '/db': '{"host":"saved"}', '/limits/a': '{"count":1}' };
const BAD = { '/db': '{"host":4711}', '/limits/a': 'SECRET', '/optional': '{"count":"SECRET"}' };

const EVERY_DEFINITION = ['key "/db"', 'key "/defaulted"', 'key "/optional"', 'prefix "/limits/"'];
/** The subjects of all problems of a start without a snapshot. */
const PROBLEM_SUBJECTS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  refused: EVERY_DEFINITION,
  frozen: EVERY_DEFINITION,
  denied: EVERY_DEFINITION,
  empty: ['/db', '/limits/'],
  invalid: ['/db', '/limits/a', '/optional'],
  skipped: [],
};

/** The boot timeouts of starts that must reach the limit, and of starts that must not. */
const SHORT_MS = 2_000;
const LONG_MS = 20_000;
/** Far above the needs of a slow machine, and below every other limit that could end a start. */
const SLACK_MS = 12_000;
const REQUEST_MS = 15_000;

const FILE = 'etcd-trigger.default.snapshot';

describe.concurrent('an application that starts', () => {
  let etcd: EtcdTestCluster;
  let secured: SecuredCluster;
  let direct: Etcd3;
  let frozen: TcpProxy;
  let closed: TcpProxy;
  let folder: string;

  beforeAll(async () => {
    [etcd, secured] = await Promise.all([EtcdTestCluster.start(), startSecured(['--bcrypt-cost=4'])]);
    direct = new Etcd3({ hosts: etcd.hosts });
    folder = mkdtempSync(join(tmpdir(), 'boot-matrix-'));
    for (const prefix of ['/up', '/empty', '/invalid', '/skipped']) await writeSnapshot(prefix);
    await writeSnapshot('/denied', { hosts: secured.etcd.hosts, auth: ROOT });
    await direct.delete().all();
    for (const [key, value] of Object.entries(GOOD)) await direct.put(`/up${key}`).value(value);
    for (const [key, value] of Object.entries(BAD)) {
      for (const prefix of ['/invalid', '/skipped']) await direct.put(prefix + key).value(value);
    }
    frozen = await TcpProxy.start(etcd.first.clientPort);
    frozen.freeze();
    closed = await TcpProxy.start(etcd.first.clientPort);
    closed.refuse();
  });
  afterAll(async () => {
    direct.close();
    frozen.stop();
    closed.stop();
    rmSync(folder, { recursive: true });
    await etcd.stop();
    await secured[Symbol.asyncDispose]();
  });

  const situation = (name: string): { readonly hosts: string | string[] } & Partial<EtcdTriggerOptions> => {
    if (name === 'refused') return { hosts: closed.endpoint, keyPrefix: '/up' };
    if (name === 'frozen') return { hosts: frozen.endpoint, keyPrefix: '/up' };
    if (name !== 'denied') return { hosts: etcd.hosts, keyPrefix: `/${name}` };
    const { hosts } = secured.etcd;
    return { hosts, client: { hosts, auth: APP }, keyPrefix: '/denied' };
  };

  /** Writes a snapshot of valid values, as a previous run of the application would. */
  const writeSnapshot = async (keyPrefix: string, client: IOptions = { hosts: etcd.hosts }): Promise<void> => {
    const writer = new Etcd3(client);
    for (const [key, value] of Object.entries(SAVED)) await writer.put(keyPrefix + key).value(value);
    const snapshot = { directory: join(folder, keyPrefix) };
    const app = await startApp({ hosts: [], client, keyPrefix, configs: CONFIGS, snapshot });
    await app[Symbol.asyncDispose]();
    writer.close();
  };

  /** Creates a directory with a snapshot file in the given state. */
  const snapshotFor = (keyPrefix: string, state: SnapshotState): string => {
    const directory = mkdtempSync(join(folder, 'cell-'));
    const file = join(directory, FILE);
    const foreign = keyPrefix === '/up' ? '/denied' : '/up';
    if (state !== 'absent') cpSync(join(folder, state === 'of another cluster' ? foreign : keyPrefix, FILE), file);
    if (state === 'corrupt') writeFileSync(file, readFileSync(file).subarray(0, -7));
    return directory;
  };

  const start = async (cell: BootCell, logger: CollectingLogger): Promise<StartedApp | BootError> => {
    const boot = { policy: cell.policy, timeoutMs: cell.atTheLimit ? SHORT_MS : LONG_MS };
    const options = situation(cell.etcd);
    const snapshot = { directory: snapshotFor(options.keyPrefix ?? '', cell.snapshot) };
    try {
      const configs = cell.etcd === 'skipped' ? SKIPPING : CONFIGS;
      return await startApp({ ...options, configs, boot, requestTimeoutMs: REQUEST_MS, snapshot, logger });
    } catch (error) {
      if (error instanceof BootError) return error;
      throw error;
    }
  };

  it.each(bootTable())('with etcd $etcd, a snapshot $snapshot and the policy $policy: $outcome', async (cell) => {
    const { etcd: situation, snapshot, outcome, starts, fromSnapshot, atTheLimit } = cell;
    const log = new CollectingLogger();
    const startedAt = performance.now();
    const result = await start(cell, log);
    const took = performance.now() - startedAt;
    const subjects = PROBLEM_SUBJECTS[situation] ?? [];
    const warningsOf = (text: string): number => log.lines.filter((line) => line.text.includes(text)).length;

    if (atTheLimit) expect(took).toBeGreaterThan(SHORT_MS - 1);
    expect(took).toBeLessThan((atTheLimit ? SHORT_MS : 0) + SLACK_MS);
    if (result instanceof BootError) {
      expect(starts).toBe(false);
      expect(result.problems.map(({ subject }) => subject).sort()).toEqual(subjects);
      expect(new Set(result.problems.map(({ reason }) => reason))).toEqual(new Set([outcome]));
      for (const { message } of result.problems) expect(result.message).toContain(message);
    } else {
      await using app = result;
      expect(starts).toBe(true);
      expect(app.store.status).toBe(outcome);
      expect(app.store.get('/db', Database)?.host).toBe(
        fromSnapshot ? 'saved' : situation === 'up' ? 'live' : undefined,
      );
      expect(app.store.get('/defaulted', Limit)).toEqual({ count: 3 });
      expect(warningsOf('started degraded')).toBe(outcome === 'degraded' ? subjects.length : 0);
      expect(warningsOf('is used')).toBe(fromSnapshot ? 1 : 0);
      const isUnusable = situation !== 'up' && (snapshot === 'corrupt' || snapshot === 'of another cluster');
      expect(warningsOf('it is not used')).toBe(isUnusable ? 1 : 0);
    }
    expect(log.text).not.toMatch(/SECRET|4711|saved"/);
  });
});
