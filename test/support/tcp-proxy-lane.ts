import type { Socket } from 'node:net';

const HELD_BYTES = 4 * 1024 * 1024;
const SLICES_PER_SECOND = 50;

/** What happens to one direction of all connections; shared and changed while they run. */
export interface LaneRules {
  isFrozen: boolean;
  delayMs: number;
  bytesPerSecond: number;
  /** Bytes that may still pass, over all connections. */
  budget: number;
}

interface LaneEvents {
  passed(bytes: number): void;
  /** The budget is used up, and the last byte is written. */
  spent(): void;
  /** The source failed, or the sink is gone. */
  broken(): void;
}

type Held = { readonly due: number } & ({ readonly chunk: Buffer } | { readonly end: 'fin' | 'rst' });

/** One direction of one connection. What arrives is queued with the time it is due, so that a delay is a latency and not a throughput. */
export class ProxyLane {
  readonly #held: Held[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #isStopped = false;

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly rules: LaneRules,
    private readonly events: LaneEvents,
  ) {
    source.on('data', (chunk: Buffer) => {
      if (this.#isStopped) return;
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > HELD_BYTES) source.pause();
      this.#hold({ chunk, due: performance.now() + rules.delayMs });
    });
    source.once('end', () => {
      this.#hold({ end: 'fin', due: performance.now() + rules.delayMs });
    });
    source.on('error', () => {
      this.#hold({ end: 'rst', due: performance.now() + rules.delayMs });
    });
  }

  /** Bytes that have arrived and are not passed on yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  rulesChanged(): void {
    this.#drain();
  }

  /** What was held back and what comes is lost, ends included. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.source.resume();
  }

  #hold(item: Held): void {
    if (this.#isStopped) return;
    this.#held.push(item);
    this.#drain();
  }

  #drain(): void {
    const [item] = this.#held;
    if (item === undefined || this.#isStopped || this.#isWriting || this.rules.isFrozen) return;
    clearTimeout(this.#timer);
    const early = item.due - performance.now();
    if (early > 0) {
      this.#timer = setTimeout(() => {
        this.#drain();
      }, Math.ceil(early));
      return;
    }
    this.#held.shift();
    if ('end' in item) this.#end(item.end);
    else this.#pass(item.chunk, item.due);
  }

  #end(end: 'fin' | 'rst'): void {
    if (end === 'fin') this.sink.end();
    else this.events.broken();
  }

  #pass(chunk: Buffer, due: number): void {
    const { bytesPerSecond, budget } = this.rules;
    const size = Math.min(chunk.length, budget, Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND)));
    if (size < chunk.length) this.#held.unshift({ chunk: chunk.subarray(size), due });
    this.rules.budget -= size;
    const isSpent = this.rules.budget === 0;
    this.#heldBytes -= size;
    this.#isWriting = true;
    this.sink.write(chunk.subarray(0, size), (error) => {
      this.#isWriting = false;
      if (this.#isStopped) return;
      if (error) {
        this.events.broken();
        return;
      }
      this.events.passed(size);
      if (isSpent) this.events.spent();
      if (this.#heldBytes <= HELD_BYTES) this.source.resume();
      this.#next(size, bytesPerSecond);
    });
  }

  #next(size: number, bytesPerSecond: number): void {
    if (bytesPerSecond === Infinity) this.#drain();
    else {
      this.#isWriting = true;
      this.#timer = setTimeout(
        () => {
          this.#isWriting = false;
          this.#drain();
        },
        (size / bytesPerSecond) * 1_000,
      );
    }
  }
}
