import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

/** Collects the garbage. Resolves to the bytes on the heap. */
export async function heapBytes(): Promise<number> {
  // What was pending ends.
  await sleep(50);
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** The least growth of the heap in bytes for one of many calls, of several measurements. */
export async function leastGrowth(repeat: (count: number) => Promise<void>, count: number): Promise<number> {
  await repeat(count);
  const growths: number[] = [];
  for (let measurement = 0; measurement < 3; measurement += 1) {
    const before = await heapBytes();
    await repeat(count);
    growths.push(((await heapBytes()) - before) / count);
  }
  return Math.min(...growths);
}
