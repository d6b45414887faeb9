import { Inject, Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  type Election,
  type Fence,
  FenceLostError,
  getElectionToken,
  InjectElection,
  InvalidOptionsError,
  OnElected,
  OnLeadershipLost,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';

class Count {
  @IsInt() count!: number;
}

/** The events of all instances, in their order. */
const JOURNAL = Symbol('Journal');

@Injectable()
class Worker {
  readonly terms: Fence[] = [];
  fail = false;
  /** Ends the run of a term; by default the signal ends it. */
  end: Promise<unknown> | undefined;

  constructor(
    @InjectElection('worker') readonly election: Election,
    @Inject(JOURNAL) readonly journal: string[],
  ) {}

  @OnElected('worker')
  async run(term: Fence): Promise<void> {
    this.terms.push(term);
    this.journal.push('elected');
    if (this.fail) throw new Error('no work to do');
    await (this.end ??
      new Promise((resolve) => {
        term.signal.addEventListener('abort', resolve);
      }));
    this.journal.push(term.held ? 'ended while held' : 'ended');
  }

  @OnLeadershipLost('worker')
  lost({ signal }: Fence): void {
    this.journal.push(signal.aborted ? 'lost' : 'lost too early');
  }
}

export function coordinationContract(cluster: () => ContractCluster): void {
  describe('elections', () => {
    const journal: string[] = [];
    let prefix = '';
    const configs = [{ prefix: '/el/', type: Count }];

    const start = async (): Promise<StartedApp & { readonly worker: Worker; readonly election: Election }> => {
      const app = await startApp(
        {
          hosts: '',
          client: cluster().client,
          configs,
          coordination: { prefix, ttlSeconds: 5 },
        },
        { providers: [Worker, { provide: JOURNAL, useValue: journal }] },
      );
      const worker = app.app.get(Worker);
      return { ...app, worker, election: worker.election };
    };
    const ownerKey = () => `${prefix}/v1/elections/worker`;
    const beginTest = (name: string): void => {
      journal.length = 0;
      prefix = `/coordination/${name}`;
    };
    const termOf = ({ worker }: { readonly worker: Worker }): Fence => {
      const term = worker.terms.at(-1);
      if (!term) throw new Error('it was never elected');
      return term;
    };

    it('have one leader, and hand over when its calls have ended', async () => {
      beginTest('handover');
      const first = await start();
      await eventually(() => first.election.isLeader);
      await using second = await start();
      await using third = await start();
      await eventually(() => second.election.leader !== undefined && third.election.leader !== undefined);
      expect([second.election.isLeader, third.election.isLeader]).toEqual([false, false]);
      expect(second.election.leader).toEqual(first.election.leader);

      await first[Symbol.asyncDispose]();
      await eventually(() => second.election.isLeader !== third.election.isLeader);
      const [before, after] = [termOf(first), termOf(second.election.isLeader ? second : third)];
      expect([before.held, before.signal.aborted, after.held, after.signal.aborted]).toEqual([
        false,
        true,
        true,
        false,
      ]);
      expect(after.token).toBeGreaterThan(before.token);
      expect(journal.at(-1)).toBe('elected');
      expect(journal.slice(0, -1).sort()).toEqual(['elected', 'ended while held', 'lost']);
    });

    it('fence writes, which etcd refuses after the term', async () => {
      beginTest('fences');
      await using app = await start();
      const { store, watcher, election } = app;
      await eventually(() => election.isLeader);
      const fence = termOf(app);

      const writes: (() => Promise<unknown>)[] = [
        () => store.put('/el/a', { count: 1 }, { fence }),
        () => store.update('/el/a', Count, (current) => ({ count: (current?.count ?? 0) + 1 }), { fence }),
        () => store.put('/el/leased', { count: 1 }, { fence, lease: { ttlSeconds: 60 } }),
        () =>
          store.transaction((tx) => {
            tx.requireFence(fence);
            tx.put('/el/b', { count: 1 });
          }),
        () => watcher.put('/el/c', '{"count":1}', { fence }),
        () => watcher.delete('/el/c', { fence }),
        () => store.delete('/el/b', { fence }),
      ];
      for (const write of writes) await write();
      expect(store.get('/el/a', Count)).toEqual({ count: 2 });
      expect(await fence.verify()).toBe(true);

      await election.resign();
      const revision = await cluster().revision();
      for (const write of writes) await expect(write()).rejects.toThrow(FenceLostError);
      expect(await cluster().revision()).toBe(revision);
      expect(await fence.verify()).toBe(false);
      await expect(store.put('/el/a', { count: 9 }, { fence, ifRevision: 1 })).rejects.toThrow(FenceLostError);
    });

    it('refuse the fence of another cluster', async () => {
      beginTest('foreign');
      await using app = await start();
      await using other = await startApp({ hosts: '', client: cluster().client, configs });
      await eventually(() => app.election.isLeader);
      const fence = termOf(app);

      for (const write of [
        () => other.store.put('/el/a', { count: 1 }, { fence }),
        () => other.watcher.put('/el/a', 'x', { fence }),
        () => other.watcher.delete('/el/a', { fence }),
      ]) {
        await expect(write()).rejects.toThrow(InvalidOptionsError);
      }
    });

    it('give a term up when its key is deleted, and begin another one', async () => {
      beginTest('deleted');
      await using app = await start();
      await eventually(() => app.election.isLeader);
      const first = termOf(app);

      await cluster().write({ [ownerKey()]: undefined });
      await eventually(() => first.signal.aborted);
      expect(first.held).toBe(false);
      await eventually(() => termOf(app) !== first && termOf(app).held);
      expect(termOf(app).token).toBeGreaterThan(first.token);
      expect(journal.at(-1)).toBe('elected');
      expect(journal.slice(0, -1).sort()).toEqual(['elected', 'ended', 'lost']);
    });

    it('give a term up when another client takes its key', async () => {
      beginTest('replaced');
      await using app = await start();
      await eventually(() => app.election.isLeader);
      const first = termOf(app);

      await cluster().write({ [ownerKey()]: '{"v":1,"instance":"other","pod":"other-pod"}' });
      await eventually(() => first.signal.aborted);
      expect(first.held).toBe(false);
      await eventually(() => app.election.leader?.pod === 'other-pod');
      expect(await first.verify()).toBe(false);
    });

    it('give a term up when its lease is revoked, and begin another one under a new lease', async () => {
      beginTest('revoked');
      await using app = await start();
      await eventually(() => app.election.isLeader);
      const first = termOf(app);
      const { lease } = await app.watcher.get(ownerKey());

      await cluster().revokeLease(lease ?? '');
      await eventually(() => first.signal.aborted);
      expect(first.held).toBe(false);
      await cluster().pass(2_000);
      await eventually(() => termOf(app) !== first && termOf(app).held);
      expect((await app.watcher.get(ownerKey())).lease).not.toBe(lease);
    });

    it('end a term at its own deadline when etcd is away, and begin another one afterwards', async () => {
      beginTest('outage');
      await using app = await start();
      await eventually(() => app.election.isLeader);
      const first = termOf(app);

      await cluster().disconnect();
      await cluster().pass(6_000);
      await eventually(() => first.signal.aborted);
      expect(first.held).toBe(false);
      await cluster().reconnect();
      await eventually(() => termOf(app) !== first && termOf(app).held);
      expect(termOf(app).token).toBeGreaterThan(first.token);
    });

    it('keep a term across an outage that is shorter than the deadline', async () => {
      beginTest('short-outage');
      await using app = await start();
      await eventually(() => app.election.isLeader);

      await cluster().disconnect();
      await cluster().pass(500);
      await cluster().reconnect();
      await cluster().pass(8_000);
      await eventually(() => termOf(app).verify());
      expect([app.worker.terms.length, termOf(app).held]).toEqual([1, true]);
    });

    it('go to another instance when a run rejects', async () => {
      beginTest('rejects');
      await using failing = await start();
      await eventually(() => failing.election.isLeader);
      await using other = await start();
      await eventually(() => other.election.leader !== undefined);

      failing.worker.fail = true;
      other.worker.fail = false;
      await failing.election.resign({ standbyMs: 0 });
      await eventually(() => other.election.isLeader);
      await other.election.resign();
      await eventually(() => failing.worker.terms.length === 2);
      await eventually(() => other.election.isLeader);
      expect(failing.election.isLeader).toBe(false);
    });

    it('wait after a resignation for the whole standby if there is no other candidate', async () => {
      beginTest('standby');
      await using app = await start();
      await eventually(() => app.election.isLeader);

      await app.election.resign({ standbyMs: 2_000 });
      expect([app.election.isLeader, app.election.term, app.worker.terms.length]).toEqual([false, undefined, 1]);
      await eventually(() => app.election.leader === undefined);
      await cluster().pass(2_000);
      await eventually(() => app.election.isLeader);
    });

    it('release the key only when the run has ended', async () => {
      beginTest('slow');
      await using app = await start();
      let end = (): void => undefined;
      app.worker.end = new Promise<void>((resolve) => (end = resolve));
      await using other = await start();
      await eventually(() => app.election.leader !== undefined);
      const leading = app.election.isLeader ? app : other;
      leading.worker.end ??= app.worker.end;
      await eventually(() => termOf(leading).held);

      const resigned = leading.election.resign();
      await eventually(() => journal.includes('lost') || leading !== app);
      expect([termOf(leading).held, termOf(leading).signal.aborted]).toEqual([true, true]);
      end();
      await resigned;
      expect(termOf(leading).held).toBe(false);
      const next = leading === app ? other : app;
      await eventually(() => next.election.isLeader);
    });

    it('show their changes', async () => {
      beginTest('changes');
      await using app = await start();
      const seen: unknown[] = [];
      app.election.changes$.subscribe({
        next: ({ isLeader, leader }) => seen.push([isLeader, leader !== undefined]),
        complete: () => seen.push('complete'),
      });
      await eventually(() => app.election.isLeader);
      await app.election.resign();
      await eventually(() => app.election.leader === undefined);
      await app[Symbol.asyncDispose]();

      expect(seen.slice(-4)).toEqual([[true, true], [false, true], [false, false], 'complete']);
    });

    it('are unknown to an application that does not take part', async () => {
      beginTest('unused');
      const revision = await cluster().revision();
      await using app = await startApp({
        hosts: '',
        client: cluster().client,
        coordination: { prefix },
      });
      expect(app.app.get(getElectionToken('worker'))).toBe(undefined);
      expect(await cluster().revision()).toBe(revision);
    });
  });
}
