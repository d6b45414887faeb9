import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Random numbers that are reproducible from a seed. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** Returns an integer. Both bounds are inclusive. */
  int(from: number, to: number): number {
    return uniformInt(this.#generator, from, to);
  }

  /** Returns true with a probability in percent. */
  percent(chance: number): boolean {
    return this.int(1, 100) <= chance;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)] as T;
  }

  /** Returns an independent generator, so that draws of one component do not change those of another. */
  fork(): Random {
    return new Random(this.int(0, 0x7fffffff));
  }
}
