import { randomBytes } from 'node:crypto';

/** Length of a part of a secret that counts as a leak: parsers quote about ten characters around an error. */
const WINDOW = 8;

/** Creates strings for secret places, and finds them, or parts of them, in any encoding. */
export class Canaries {
  readonly #needles = new Map<string, readonly string[]>();

  /** Creates a canary for a value, a password or a message. */
  hatch(name: string): string {
    const secret = Array.from(randomBytes(24), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
    this.adopt(name, secret);
    return secret;
  }

  /** Adds an existing secret, such as a private key. */
  adopt(name: string, secret: string): void {
    this.#needles.set(name, shapesOf(secret));
  }

  /** Returns the names of the canaries that a text contains. */
  foundIn(text: string): string[] {
    const dense = text.replaceAll(/\s/g, '');
    return [...this.#needles]
      .filter(([, needles]) => needles.some((part) => dense.includes(part)))
      .map(([name]) => name);
  }
}

const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Returns every part of it as text, and as bytes in hexadecimal, decimal and base64. */
function shapesOf(secret: string): string[] {
  return windowsOf(secret, WINDOW).flatMap((part) => {
    const bytes = Buffer.from(part);
    return [part, bytes.toString('hex'), [...bytes].join(), bytes.subarray(0, 6).toString('base64')];
  });
}

const windowsOf = (text: string, length: number): string[] =>
  Array.from({ length: Math.max(1, text.length - length + 1) }, (_, start) => text.slice(start, start + length));
