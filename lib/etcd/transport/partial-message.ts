const FIRST_CAPACITY = 16_384;
/** Messages of a long history have several MB: each step copies what has arrived. */
const GROWTH = 8;

/** A message that is spread over several chunks. Only its first `keep` bytes are kept. */
export class PartialMessage {
  #bytes: Buffer;
  #received = 0;

  constructor(
    readonly length: number,
    readonly keep: number,
  ) {
    this.#bytes = Buffer.allocUnsafe(Math.min(keep, FIRST_CAPACITY));
  }

  get isComplete(): boolean {
    return this.#received === this.length;
  }

  /** All bytes to keep have arrived. */
  get isKept(): boolean {
    return this.#received >= this.keep;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Takes the bytes of the chunk that belong to this message and returns their number. */
  append(chunk: Buffer, start: number): number {
    const taken = Math.min(chunk.length - start, this.length - this.#received);
    const kept = Math.min(taken, this.keep - this.#received);
    if (kept > 0) {
      this.#reserve(this.#received + kept);
      chunk.copy(this.#bytes, this.#received, start, start + kept);
    }
    this.#received += taken;
    return taken;
  }

  /** Grows with the bytes that have arrived, not with the announced length, so that a peer that lies costs little. */
  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.keep, Math.max(size, GROWTH * this.#bytes.length)));
    this.#bytes.copy(grown, 0, 0, this.#received);
    this.#bytes = grown;
  }
}
