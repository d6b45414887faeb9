import { setTimeout as sleep } from 'node:timers/promises';

/** Reads a metric of the member. */
export async function metricOf(host: string, name: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', host))).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

/** Cost of watches for the member. */
export interface WatchCost {
  readonly streams: number;
  readonly serverMb: number;
}

/** Returns a function that waits until the member has `targets` watches, and tells what they cost it. */
export async function watchCost(host: string, targets: number): Promise<() => Promise<WatchCost>> {
  const memory = (): Promise<number> => metricOf(host, 'process_resident_memory_bytes');
  const before = await memory();
  return async () => {
    while ((await metricOf(host, 'etcd_debugging_mvcc_watcher_total')) < targets) await sleep(5);
    return {
      streams: await metricOf(host, 'etcd_debugging_mvcc_watch_stream_total'),
      serverMb: ((await memory()) - before) / 1_048_576,
    };
  };
}
