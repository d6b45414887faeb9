import { latin1Of } from './bytes.js';

/**
 * Interns the texts of recent keys, found by their bytes. A key that occurs again needs neither a new text nor a new
 * hash. A later key replaces an earlier one in the same slot.
 */
export class KeyInterner {
  readonly #keys: string[] = Array.from({ length: PLACES }, () => '');
  /** The bytes of each key. Comparing bytes with bytes is faster than comparing them with chars. */
  readonly #bytes = new Uint8Array(PLACES * LONGEST_KEY);

  /** Returns the bytes as text with one char a byte. */
  textOf(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > LONGEST_KEY) return latin1Of(bytes, start, end);
    let hash = length;
    for (let index = start; index < end; index += 1) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0;
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
    const key = this.#keys[place] as string;
    const own = this.#bytes;
    const at = place * LONGEST_KEY - start;
    if (key.length === length) {
      let index = start;
      while (index < end && own[at + index] === bytes[index]) index += 1;
      if (index === end) return key;
    }
    return this.#keep(place, bytes, start, end);
  }

  /** A separate method keeps the code that runs for each event short, so that V8 compiles it sooner. */
  #keep(place: number, bytes: Buffer, start: number, end: number): string {
    this.#bytes.set(bytes.subarray(start, end), place * LONGEST_KEY);
    return (this.#keys[place] = latin1Of(bytes, start, end));
  }
}

const PLACES = 8_192;
/** In bytes. Longer keys are not interned. */
const LONGEST_KEY = 64;
