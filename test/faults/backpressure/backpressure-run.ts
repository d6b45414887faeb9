import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Account, type ListenerReport, ListeningProcess } from './listening-process.js';
import { Probe, writeLoad } from './load.js';

export interface BackpressureOptions {
  readonly events: number;
  /** @default as fast as etcd takes them */
  readonly perSecond?: number;
  /** Whether the first listener is stuck. */
  readonly mode: 'stuck' | 'free';
  /** Let etcd compact what the stuck listener has not seen. */
  readonly compact?: boolean;
}

/** Bytes are growth since before the load. */
export interface BackpressureResult {
  readonly seconds: number;
  readonly memory: number;
  readonly rss: number;
  readonly serverRss: number;
  readonly pending: number;
  readonly delays: ListenerReport['delays'];
  readonly expected: number;
  readonly neighbour: Account;
  readonly keys: number;
  /** When it is awake and has caught up. */
  readonly first: Account;
  readonly catchUpSeconds: number;
}

const SAMPLE_MS = 2_000;
const PATIENCE_MS = 300_000;

/** One load past an application with a stuck listener, or with none for comparison. */
export async function runBackpressure({
  events,
  perSecond = Infinity,
  mode,
  compact = false,
}: BackpressureOptions): Promise<BackpressureResult> {
  await using etcd = await EtcdTestCluster.start({
    args: ['--quota-backend-bytes=8000000000', '--snapshot-count=10000'],
  });
  using application = await ListeningProcess.start(etcd.hosts, mode);
  const serverRss = async () => (await etcd.first.metric('process_resident_memory_bytes')) ?? 0;
  // What is allocated once is there before the measurement begins.
  let expected = await writeLoad(etcd.hosts, Math.min(events / 4, 50_000), perSecond);
  await until(application, ({ neighbour }) => neighbour.events >= expected);
  const before = { ...(await application.report()), serverRss: await serverRss() };
  const most = { memory: 0, rss: 0, serverRss: 0, pending: 0 };
  const sample = async (): Promise<ListenerReport> => {
    const report = await application.report();
    most.memory = Math.max(most.memory, report.memory - before.memory);
    most.rss = Math.max(most.rss, report.rss - before.rss);
    most.serverRss = Math.max(most.serverRss, (await serverRss()) - before.serverRss);
    most.pending = Math.max(most.pending, report.pending);
    return report;
  };

  const begin = performance.now();
  const probe = new Probe(etcd.hosts);
  const load = { isOver: false };
  const writing = writeLoad(etcd.hosts, events, perSecond).finally(() => {
    load.isOver = true;
  });
  while (!load.isOver) {
    await Promise.race([writing, sleep(SAMPLE_MS)]);
    await sample();
  }
  expected += (await writing) + (await probe.stop());
  await until(application, ({ neighbour }) => neighbour.events >= expected);
  const seconds = (performance.now() - begin) / 1_000;
  const { delays, neighbour, keys } = await sample();
  if (compact) await compactAt(etcd, neighbour.revision);

  const woken = performance.now();
  application.wake();
  const { first } = await until(application, (report) => report.first.revision >= neighbour.revision);
  return {
    ...most,
    seconds,
    delays,
    expected,
    neighbour,
    keys,
    first,
    catchUpSeconds: (performance.now() - woken) / 1_000,
  };
}

async function compactAt(etcd: EtcdTestCluster, revision: number): Promise<void> {
  const client = new Etcd3({ hosts: etcd.hosts });
  await client.kv.compact({ revision: String(revision), physical: true });
  client.close();
}

async function until(
  application: ListeningProcess,
  isSo: (report: ListenerReport) => boolean,
): Promise<ListenerReport> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const report = await application.report();
    if (isSo(report)) return report;
    if (performance.now() > deadline)
      throw new Error(`the listeners got no further: ${JSON.stringify({ ...report, delays: {} })}`);
    await sleep(50);
  }
}
