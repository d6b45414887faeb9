import { parseArgs } from 'node:util';
import { fuzzOneClass } from './parser-fuzz.js';

/** `npm run fuzz -- --minutes 60 --seed 1`: compares generated documents, prints counters, and stops at a difference. */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  const until = performance.now() + Number(values.minutes) * 60_000;
  const counters = { documents: 0, classes: 0, compiled: 0, valid: 0, withUnknown: 0 };
  process.stdout.write(`seed ${values.seed}\n`);
  for (let seed = Number(values.seed); performance.now() < until; seed += 1) {
    const difference = await fuzzOneClass(seed, counters);
    if (difference !== undefined) {
      process.stdout.write(`${difference}\n\nto repeat: npm run fuzz -- --seed ${seed}\n`);
      return 1;
    }
  }
  process.stdout.write(
    `${Object.entries(counters)
      .map(([name, count]) => `${name}: ${count}`)
      .join('\n')}\n\nno differences\n`,
  );
  return 0;
}
