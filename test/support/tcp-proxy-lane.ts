import type { Socket } from 'node:net';

const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
const SLICES_PER_SECOND = 50;

/** Rules for one direction of all connections. They may change while connections are open. */
export interface LaneRules {
  isFrozen: boolean;
  delayMs: number;
  bytesPerSecond: number;
  /** Remaining bytes that may pass, over all connections. */
  budget: number;
}

interface LaneEvents {
  passed(bytes: number): void;
  /** Called when the budget is used up and the last byte is written. */
  spent(): void;
  /** Called when the source has failed or the sink is closed. */
  broken(): void;
}

type QueuedItem = { readonly due: number } & ({ readonly chunk: Buffer } | { readonly end: 'fin' | 'rst' });

/**
 * One direction of one connection. Each chunk is queued with its due time, so that a delay does not limit throughput.
 */
export class ProxyLane {
  readonly #queue: QueuedItem[] = [];
  #bufferedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #isStopped = false;
  #isHeld = false;

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly rules: LaneRules,
    private readonly events: LaneEvents,
  ) {
    source.on('data', (chunk: Buffer) => {
      if (this.#isStopped) return;
      this.#bufferedBytes += chunk.length;
      if (this.#bufferedBytes > MAX_BUFFERED_BYTES) source.pause();
      this.#enqueue({ chunk, due: performance.now() + rules.delayMs });
    });
    source.once('end', () => {
      this.#enqueue({ end: 'fin', due: performance.now() + rules.delayMs });
    });
    source.on('error', () => {
      this.#enqueue({ end: 'rst', due: performance.now() + rules.delayMs });
    });
  }

  /** Bytes that have been received and not yet forwarded. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  rulesChanged(): void {
    this.#drain();
  }

  /** Like `isFrozen`, for this lane only. */
  set isHeld(isHeld: boolean) {
    this.#isHeld = isHeld;
    this.#drain();
  }

  /** Discards buffered and future data, including the ends of the connection. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#bufferedBytes = 0;
    this.source.resume();
  }

  #enqueue(item: QueuedItem): void {
    if (this.#isStopped) return;
    this.#queue.push(item);
    this.#drain();
  }

  #drain(): void {
    const [item] = this.#queue;
    if (item === undefined || this.#isStopped || this.#isWriting || this.#isHeld || this.rules.isFrozen) return;
    clearTimeout(this.#timer);
    const waitMs = item.due - performance.now();
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#drain();
      }, Math.ceil(waitMs));
      return;
    }
    this.#queue.shift();
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
    if (size < chunk.length) this.#queue.unshift({ chunk: chunk.subarray(size), due });
    this.rules.budget -= size;
    const isSpent = this.rules.budget === 0;
    this.#bufferedBytes -= size;
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
      if (this.#bufferedBytes <= MAX_BUFFERED_BYTES) this.source.resume();
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
