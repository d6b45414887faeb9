import { randomBytes } from 'node:crypto';

/** How much of a secret is a leak: parsers quote about ten characters around what they do not understand. */
const WINDOW = 8;

/** Strings that stand in secret places and nowhere else, and the search for them, or for a part of them, in whatever shape they leave. */
export class Canaries {
  readonly #needles = new Map<string, readonly string[]>();

  /** A new one, to be put into a value, a password, a message. */
  hatch(name: string): string {
    const secret = Array.from(randomBytes(24), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
    this.adopt(name, secret);
    return secret;
  }

  /** A secret that was made elsewhere, as a private key. */
  adopt(name: string, secret: string): void {
    this.#needles.set(name, shapesOf(secret));
  }

  /** The names of those that a text holds. */
  foundIn(text: string): string[] {
    const dense = text.replaceAll(/\s/g, '');
    return [...this.#needles]
      .filter(([, needles]) => needles.some((part) => dense.includes(part)))
      .map(([name]) => name);
  }
}

const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Every window of it as text, and as bytes in hexadecimal, decimal and base64. */
function shapesOf(secret: string): string[] {
  return windowsOf(secret, WINDOW).flatMap((part) => {
    const bytes = Buffer.from(part);
    return [part, bytes.toString('hex'), [...bytes].join(), bytes.subarray(0, 6).toString('base64')];
  });
}

const windowsOf = (text: string, length: number): string[] =>
  Array.from({ length: Math.max(1, text.length - length + 1) }, (_, start) => text.slice(start, start + length));
