import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type ListenerCounters, type ListenerReport, ListeningProcess } from './listening-process.js';
import { Probe, writeLoad } from './load.js';

export interface BackpressureOptions {
  readonly events: number;
  /** @default as fast as possible */
  readonly perSecond?: number;
  /** `stuck`: the first listener is stuck. `free`: no listener is. */
  readonly mode: 'stuck' | 'free';
  /** Compact the revisions that the stuck listener has not received. */
  readonly compact?: boolean;
}

/** Results of one run. Bytes are the growth since the start of the load. */
export interface BackpressureResult {
  readonly seconds: number;
  readonly memory: number;
  readonly rss: number;
  readonly serverRss: number;
  readonly pending: number;
  readonly delays: ListenerReport['delays'];
  readonly expected: number;
  readonly neighbour: ListenerCounters;
  readonly keys: number;
  /** Counters of the first listener after it was resumed and has caught up. */
  readonly first: ListenerCounters;
  readonly catchUpSeconds: number;
}

const SAMPLE_MS = 2_000;
const TIMEOUT_MS = 300_000;

/** Runs a load against an application with or without a stuck listener. */
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
  // Warm-up: one-time allocations must not count as growth.
  let expected = await writeLoad(etcd.hosts, Math.min(events / 4, 50_000), perSecond);
  await until(application, ({ neighbour }) => neighbour.events >= expected);
  const before = { ...(await application.report()), serverRss: await serverRss() };
  const peak = { memory: 0, rss: 0, serverRss: 0, pending: 0 };
  const sample = async (): Promise<ListenerReport> => {
    const report = await application.report();
    peak.memory = Math.max(peak.memory, report.memory - before.memory);
    peak.rss = Math.max(peak.rss, report.rss - before.rss);
    peak.serverRss = Math.max(peak.serverRss, (await serverRss()) - before.serverRss);
    peak.pending = Math.max(peak.pending, report.pending);
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

  const resumedAt = performance.now();
  application.wake();
  const { first } = await until(application, (report) => report.first.revision >= neighbour.revision);
  return {
    ...peak,
    seconds,
    delays,
    expected,
    neighbour,
    keys,
    first,
    catchUpSeconds: (performance.now() - resumedAt) / 1_000,
  };
}

async function compactAt(etcd: EtcdTestCluster, revision: number): Promise<void> {
  const client = new Etcd3({ hosts: etcd.hosts });
  await client.kv.compact({ revision: String(revision), physical: true });
  client.close();
}

async function until(
  application: ListeningProcess,
  isReached: (report: ListenerReport) => boolean,
): Promise<ListenerReport> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const report = await application.report();
    if (isReached(report)) return report;
    if (performance.now() > deadline)
      throw new Error(`the listeners made no progress: ${JSON.stringify({ ...report, delays: {} })}`);
    await sleep(50);
  }
}
