/**
 * Measures the longest time for which this process blocked its event loop, in milliseconds of computing: a machine that
 * runs other processes meanwhile does not extend it.
 */
export class LoopGap {
  #longest = 0;
  #last = computedMs();
  readonly #timer = setInterval(() => {
    this.#tick();
  }, 5);

  /** Ends the measurement. */
  stop(): number {
    clearInterval(this.#timer);
    this.#tick();
    return this.#longest;
  }

  #tick(): void {
    const now = computedMs();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
  }
}

function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
