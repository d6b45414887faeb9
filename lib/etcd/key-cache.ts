/**
 * Texts of keys that came lately, found by their bytes: the same key comes again and again, and neither a new text nor its hash has to be made then. Of two
 * keys with one place the later one has it.
 */
export class KeyCache {
  readonly #keys: string[] = Array.from({ length: PLACES }, () => '');

  /** The bytes as text with one char each. */
  textOf(bytes: Buffer, start: number, end: number): string {
    let hash = 0;
    for (let index = start; index < end; index += 1) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0;
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
    const key = this.#keys[place] as string;
    if (key.length === end - start && isSame(key, bytes, start)) return key;
    return (this.#keys[place] = bytes.toString('latin1', start, end));
  }
}

const PLACES = 4_096;

function isSame(key: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (key.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
