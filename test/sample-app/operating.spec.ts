import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type RunningSample, start } from './running-sample.js';

describe('operating the sample app', () => {
  let cluster: EtcdTestCluster;
  let sample: RunningSample;

  beforeAll(async () => {
    cluster = await EtcdTestCluster.start();
    sample = await start({ ETCD_HOSTS: cluster.hosts.join() });
  });
  afterAll(async () => {
    sample[Symbol.dispose]();
    await cluster.stop();
  });

  const health = async (kind: 'live' | 'ready'): Promise<{ status: number; etcd: unknown }> => {
    const response = await fetch(`${sample.url}/health/${kind}`);
    const { details } = (await response.json()) as { details: { etcd: unknown } };
    return { status: response.status, etcd: details.etcd };
  };
  const scrape = async (): Promise<string> => (await fetch(`${sample.url}/metrics`)).text();

  it('is alive and ready, and exports its metrics', async () => {
    expect(await health('live')).toEqual({ status: 200, etcd: { status: 'up' } });
    expect(await health('ready')).toMatchObject({ status: 200, etcd: { state: 'up' } });

    const metrics = await scrape();
    expect(metrics).toMatch(/etcd_trigger_store_keys\{.*\/app\/config\/database.*\} 1\n/);
    expect(metrics).toMatch(/etcd_trigger_handler_pending\{.*EventHandlers\.onEvent.*\} 0\n/);
  });

  it('stays alive without etcd, reports degraded health with the interrupted targets, and counts reconnects', async () => {
    await cluster.first.kill();

    await eventually(async () => {
      expect(await health('ready')).toMatchObject({ etcd: { state: 'degraded' } });
    });
    expect(await health('live')).toMatchObject({ status: 200, etcd: { status: 'up' } });
    expect(JSON.stringify(await health('ready'))).toContain('is interrupted');
    await eventually(async () => {
      const reason = 'etcd has not confirmed the lease of this instance before its deadline';
      expect(JSON.stringify(await health('ready'))).toContain(reason);
    });

    await cluster.first.start();
    await eventually(async () => {
      expect(await health('ready')).toMatchObject({ etcd: { state: 'up' } });
    });
    expect(await scrape()).toMatch(/etcd_trigger_reconnects_total\{.*\/app\/events\/.*\} [1-9]/);
  });
});
