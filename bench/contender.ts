/** What one run of one contender prints. */
export interface Sample {
  /** What was counted, so that a benchmark that does less than it says is noticed. */
  readonly count: number;
  /** Wall-clock seconds of the measured part. */
  readonly seconds: number;
  /** CPU seconds of the process in the measured part. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the process, in MB. */
  readonly peakMb: number;
  /** How much of it came with the measured part. */
  readonly grownMb: number;
  readonly [extra: string]: number;
}

/** Options of a run, from the command line. */
export const options = (): unknown => JSON.parse(process.argv[2] ?? '{}');

/** Measures from now to `finish`. `extra` may be measured after that. */
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

/** What is held after a collection (`--expose-gc`). */
export function heldMb(): { readonly heapMb: number } {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heapMb: (heapUsed + arrayBuffers) / 1e6 };
}
