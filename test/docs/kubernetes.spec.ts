import { mkdtemp, rm, copyFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { createCertificates } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';

const DOCUMENT = 'docs/kubernetes.md';
const FOLDER = resolve('test/docs/.snippets/kubernetes');

interface Deployment {
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [{ readonly env: readonly { readonly name: string }[] } & Record<string, unknown>];
}

describe('docs/kubernetes.md', () => {
  let etcd: EtcdTestCluster;
  let client: Etcd3;
  let secret: string;
  let app: INestApplication;

  beforeAll(async () => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    secret = await mkdtemp(join(tmpdir(), 'secret-'));
    const files = await createCertificates(secret);
    etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
    await copyFile(files.ca, join(secret, 'ca.crt'));
    await copyFile(files.client.cert, join(secret, 'tls.crt'));
    await copyFile(files.client.key, join(secret, 'tls.key'));
    const file = (name: string): Buffer => readFileSync(join(secret, name));
    client = new Etcd3({
      hosts: etcd.hosts,
      credentials: { rootCertificate: file('ca.crt'), certChain: file('tls.crt'), privateKey: file('tls.key') },
    });
    await client.put('/orders/limit').value('{"perMinute":1}');
    process.env.ETCD_HOSTS = etcd.hosts.join();
    process.env.ETCD_TLS = secret;
    process.env.ETCD_SNAPSHOT = join(secret, 'snapshot');
    const { main } = (await import(join(FOLDER, 'main.js'))) as { main: (port: number) => Promise<INestApplication> };
    app = await main(0);
  });
  afterAll(async () => {
    delete process.env.ETCD_HOSTS;
    delete process.env.ETCD_TLS;
    delete process.env.ETCD_SNAPSHOT;
    await app.close();
    client.close();
    await etcd.stop();
    await rm(secret, { recursive: true, force: true });
  });

  const ask = async (path: string): Promise<number> => (await fetch(`${await app.getUrl()}/health/${path}`)).status;

  it('stays alive and ready during an etcd outage', async () => {
    expect([await ask('live'), await ask('ready')]).toEqual([200, 200]);
    await etcd.first.kill();
    await eventually(async () => {
      const answer = await fetch(`${await app.getUrl()}/health/ready`);
      return answer.status === 200 && (await answer.text()).includes('degraded');
    });
    expect(await ask('live')).toBe(200);
  });

  it('sets the environment variables that the code reads, and a sufficient grace period', () => {
    const [block = ''] = Array.from(
      readFileSync(DOCUMENT, 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm),
      ([, yaml]) => yaml,
    );
    const [document] = parseAllDocuments(block);
    expect(document?.errors).toEqual([]);
    const { terminationGracePeriodSeconds, containers } = (document?.toJS() as Deployment).spec.template.spec;
    const code = [...snippetsOf(DOCUMENT).values()].join('\n');

    expect(containers[0].env.map(({ name }) => name)).toEqual(['POD_NAME', 'ETCD_HOSTS', 'ETCD_TLS', 'ETCD_SNAPSHOT']);
    for (const name of ['ETCD_HOSTS', 'ETCD_TLS', 'ETCD_SNAPSHOT']) expect(code).toContain(`process.env.${name}`);
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(5_000 + 15_000);
    expect(code).toContain('drainTimeoutMs: 15_000');
  });
});
