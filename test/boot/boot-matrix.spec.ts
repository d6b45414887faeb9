import { IsInt, IsString } from 'class-validator';
import { Etcd3 } from 'etcd3';
import { BootError, type ConfigDefinition, type EtcdTriggerOptions } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { APP, type SecuredCluster, startSecured } from '../support/secured-cluster.js';
import { startApp, type StartedApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { type BootCell, bootTable } from './boot-table.js';

class Database {
  @IsString() host!: string;
}
class Limit {
  @IsInt() count!: number;
}

const CONFIGS: ConfigDefinition[] = [
  { key: '/db', type: Database, required: true },
  { key: '/optional', type: Limit },
  { key: '/defaulted', type: Limit, default: { count: 3 } },
  { prefix: '/limits/', type: Limit, required: true },
];
const GOOD = { '/db': '{"host":"live"}', '/limits/a': '{"count":1}', '/optional': '{"count":2}' };
const BAD = { '/db': '{"host":4711}', '/limits/a': 'SECRET', '/optional': '{"count":"SECRET"}' };

const EVERY_DEFINITION = ['key "/db"', 'key "/defaulted"', 'key "/optional"', 'prefix "/limits/"'];
/** What a start without a snapshot complains about: the full list. */
const COMPLAINTS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  refused: EVERY_DEFINITION,
  frozen: EVERY_DEFINITION,
  denied: EVERY_DEFINITION,
  empty: ['/db', '/limits/'],
  invalid: ['/db', '/limits/a', '/optional'],
};

/** For starts that are to end at the limit, and for those that are to end before. */
const SHORT_MS = 800;
const LONG_MS = 20_000;
/** Far below the next limit that could end a start by accident: that of a request is 5 s. */
const SLACK_MS = 3_000;

describe.concurrent('an application that starts', () => {
  let etcd: EtcdTestCluster;
  let secured: SecuredCluster;
  let direct: Etcd3;
  let frozen: TcpProxy;
  let closed: TcpProxy;

  beforeAll(async () => {
    [etcd, secured] = await Promise.all([EtcdTestCluster.start(), startSecured()]);
    direct = new Etcd3({ hosts: etcd.hosts });
    for (const [key, value] of Object.entries(GOOD)) await direct.put(`/up${key}`).value(value);
    for (const [key, value] of Object.entries(BAD)) await direct.put(`/invalid${key}`).value(value);
    frozen = await TcpProxy.start(etcd.first.clientPort);
    frozen.freeze();
    closed = await TcpProxy.start(etcd.first.clientPort);
    closed.refuse();
  });
  afterAll(async () => {
    direct.close();
    frozen.stop();
    closed.stop();
    await etcd.stop();
    await secured[Symbol.asyncDispose]();
  });

  const situation = (name: string): { readonly hosts: string | string[] } & Partial<EtcdTriggerOptions> => {
    if (name === 'refused') return { hosts: closed.endpoint, keyPrefix: '/up' };
    if (name === 'frozen') return { hosts: frozen.endpoint, keyPrefix: '/up' };
    if (name !== 'denied') return { hosts: etcd.hosts, keyPrefix: `/${name}` };
    const { hosts } = secured.etcd;
    return { hosts, client: { hosts, auth: APP }, keyPrefix: '/up' };
  };

  const start = async (cell: BootCell, logger: CollectingLogger): Promise<StartedApp | BootError> => {
    const boot = { policy: cell.policy, timeoutMs: cell.atTheLimit ? SHORT_MS : LONG_MS };
    try {
      return await startApp({ ...situation(cell.etcd), configs: CONFIGS, boot, logger });
    } catch (error) {
      if (error instanceof BootError) return error;
      throw error;
    }
  };

  it.each(bootTable())('with etcd $etcd and the policy $policy: $outcome', async (cell) => {
    const log = new CollectingLogger();
    const begun = performance.now();
    const result = await start(cell, log);
    const took = performance.now() - begun;
    const complaints = COMPLAINTS[cell.etcd] ?? [];

    if (cell.atTheLimit) expect(took).toBeGreaterThan(SHORT_MS - 1);
    expect(took).toBeLessThan((cell.atTheLimit ? SHORT_MS : 0) + SLACK_MS);
    if (result instanceof BootError) {
      expect(cell.starts).toBe(false);
      expect(result.problems.map(({ subject }) => subject).sort()).toEqual(complaints);
      expect(new Set(result.problems.map(({ reason }) => reason))).toEqual(new Set([cell.outcome]));
      for (const { message } of result.problems) expect(result.message).toContain(message);
    } else {
      await using app = result;
      expect(cell.starts).toBe(true);
      expect(app.store.status).toBe(cell.outcome);
      expect(app.store.get('/db', Database)?.host).toBe(cell.etcd === 'up' ? 'live' : undefined);
      expect(app.store.get('/defaulted', Limit)).toEqual({ count: 3 });
      expect(log.lines.filter(({ text }) => text.includes('started degraded')).length).toBe(complaints.length);
    }
    expect(log.text).not.toMatch(/SECRET|4711/);
  });
});
