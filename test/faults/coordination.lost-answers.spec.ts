import { Injectable } from '@nestjs/common';
import { type Election, type Fence, InjectElection, OnElected } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const PREFIX = '/coordination/v1';

@Injectable()
class Leader {
  readonly terms: Fence[] = [];

  constructor(@InjectElection('cut') readonly election: Election) {}

  @OnElected('cut')
  async run(term: Fence): Promise<void> {
    this.terms.push(term);
    await new Promise((resolve) => {
      term.signal.addEventListener('abort', resolve);
    });
  }
}

describe('an election whose answers are lost', () => {
  const etcd = ownEtcd();

  it('has one owner and leaves no key behind, wherever the connection is cut', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const started = await startApp(
      { hosts: proxy.endpoint, coordination: { prefix: '/coordination', ttlSeconds: 60 } },
      { providers: [Leader] },
    );
    const { terms, election } = started.app.get(Leader);
    await eventually(() => election.isLeader);

    for (let bytes = 1; bytes < 700; bytes += 23) {
      const before = terms.length;
      proxy.cutAfter(bytes);
      // Deletes the key and claims it again. The cut may hit either answer, or the watch between them.
      await election.resign({ standbyMs: 0 });
      await eventually(() => terms.length > before && election.isLeader);
      const term = terms.at(-1);
      const { kvs } = await etcd.direct.get(`${PREFIX}/elections/cut`).exec();
      expect(kvs.map(({ create_revision, version }) => [Number(create_revision), Number(version)])).toEqual([
        [term?.token, 1],
      ]);
    }
    proxy.cutAfter(Infinity);
    const tokens = terms.map(({ token }) => token);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));

    await started[Symbol.asyncDispose]();
    expect(await etcd.direct.getAll().prefix('/coordination/').keys()).toEqual([]);
  });
});
