import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { metrics } from '@opentelemetry/api';
import type { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { EtcdTriggerTestingModule } from 'nestjs-etcd-trigger/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { quiet } from '../support/quiet-logger.js';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';

const DOCUMENT = 'docs/observability.md';
const FOLDER = resolve('test/docs/.snippets/observability');

describe('docs/observability.md', () => {
  const stop: (() => Promise<void>)[] = [];

  afterAll(async () => {
    for (const end of stop) await end();
    metrics.disable();
  });

  const load = async <T>(file: string, name: string): Promise<T> =>
    ((await import(join(FOLDER, file))) as Record<string, T>)[name] as T;

  it('compiles every snippet and names its file', () => {
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
  });

  it('provides metrics, health and diagnostics', async () => {
    const startMetrics = await load<(port: number) => PrometheusExporter>('metrics.js', 'startMetrics');
    const [port = 0] = await freePorts(1);
    const exporter = startMetrics(port);
    stop.push(() => exporter.shutdown());
    const Diagnosis = await load<Type<{ report: () => string }>>('diagnosis.js', 'Diagnosis');
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerTestingModule.forRoot({ logger: quiet }),
        await load<Type>('health.controller.js', 'HealthModule'),
      ],
      providers: [Diagnosis],
    }).compile();
    const app: INestApplication = module.createNestApplication({ logger: false });
    stop.push(() => app.close());
    const server = (await app.listen(0, '127.0.0.1')) as { address: () => AddressInfo };
    const base = `http://127.0.0.1:${server.address().port}`;

    expect(await (await fetch(`${base}/health/live`)).json()).toMatchObject({
      status: 'ok',
      info: { etcd: { status: 'up' } },
    });
    expect(await (await fetch(`${base}/health/ready`)).json()).toMatchObject({ info: { etcd: { state: 'up' } } });
    expect(JSON.parse(app.get(Diagnosis).report())).toMatchObject({ clusters: [{ name: 'default' }] });
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  });
});
