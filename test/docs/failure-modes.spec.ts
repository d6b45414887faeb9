import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const DOCUMENT = 'docs/failure-modes.md';
const FOLDER = resolve('test/docs/.snippets/failure-modes');

interface Lookout {
  begin(print: (line: string) => void): Promise<void>;
  look(): string;
}

class Limit {
  @IsInt() count!: number;
}

describe('docs/failure-modes.md', () => {
  it('shows that a watch and the store are interrupted and follow again', async () => {
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    const { Lookout } = (await import(join(FOLDER, 'watch-the-watch.js'))) as { Lookout: Type<Lookout> };
    await using etcd = await EtcdTestCluster.start();
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using started = await startApp(
      { hosts: proxy.endpoint, configs: [{ prefix: '/limits/', type: Limit }] },
      { providers: [Lookout] },
    );
    const lookout = started.app.get(Lookout);
    const lines: string[] = [];

    await lookout.begin((line) => lines.push(line));
    await started.watcher.put('/orders/1', 'new');
    await eventually(() => lines.length === 1);
    expect([lines[0], lookout.look()]).toEqual(['live /orders/1', 'watch following, store ready']);
    proxy.refuse();
    proxy.cut();
    await eventually(() => lookout.look() === 'watch interrupted, store stale');
    await proxy.accept();
    await eventually(() => lookout.look() === 'watch following, store ready');
  });
});
