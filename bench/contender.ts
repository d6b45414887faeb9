/** Result of one run of one contender. */
export interface Sample {
  /** Number of processed items, to detect a contender that does less than all of the work. */
  readonly count: number;
  /** Wall-clock seconds of the measured part. */
  readonly seconds: number;
  /** CPU seconds of the process in the measured part. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the process, in MB. */
  readonly peakMb: number;
  /** Growth of the resident memory during the measured part, in MB. */
  readonly grownMb: number;
  readonly [extra: string]: number;
}

/** Parses the options of a run from the command line. */
export const options = (): unknown => JSON.parse(process.argv[2] ?? '{}');

/** Starts a measurement. The returned function ends it and prints the sample; `extra` is evaluated after that. */
export function startSample(): (
  count: number,
  extra?: Record<string, number> | (() => Record<string, number>),
) => void {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const startMb = process.memoryUsage.rss() / 1_048_576;
  return (count, extra = {}) => {
    const { user, system } = process.cpuUsage(cpu);
    const peakMb = process.resourceUsage().maxRSS / 1_024;
    const sample: Sample = {
      count,
      seconds: (performance.now() - begin) / 1_000,
      cpuSeconds: (user + system) / 1_000_000,
      peakMb,
      grownMb: peakMb - startMb,
    };
    const all = { ...sample, ...(typeof extra === 'function' ? extra() : extra) };
    process.stdout.write(`${JSON.stringify(all)}\n`, () => process.exit(0));
  };
}

/** Returns heap and buffers after a garbage collection, in MB. Needs `--expose-gc`. */
export function retainedMb(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}
