import { latin1Of } from './bytes.js';

/**
 * Texts of keys that came lately, found by their bytes: the same key comes again and again, and neither a new text nor its hash has to be made then. Of two
 * keys with one place the later one has it.
 */
export class KeyInterner {
  readonly #keys: string[] = Array.from({ length: PLACES }, () => '');
  /** The bytes of each key again: comparing them with bytes takes a third of the time that comparing chars takes. */
  readonly #bytes = new Uint8Array(PLACES * LONGEST_KEY);

  /** The bytes as text with one char each. */
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

  /** Apart from what is done for each event: the shorter that is, the sooner it is compiled. */
  #keep(place: number, bytes: Buffer, start: number, end: number): string {
    this.#bytes.set(bytes.subarray(start, end), place * LONGEST_KEY);
    return (this.#keys[place] = latin1Of(bytes, start, end));
  }
}

const PLACES = 8_192;
/** In bytes; of longer ones the text is made each time. */
const LONGEST_KEY = 64;
