import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { rawKeyOf, keyText } from './key-record.js';

/** A checked target: one key, or all keys that begin with a prefix, byte for byte. */
export class KeyRange {
  /** Equal for equal targets, different for a key and a prefix of the same bytes. */
  readonly identity: string;

  private constructor(
    readonly kind: 'key' | 'prefix',
    /** The key or prefix with one char a byte. */
    readonly rawKey: string,
  ) {
    this.identity = `${kind}:${rawKey}`;
  }

  /**
   * @throws InvalidOptionsError when the target is empty or not a target; `''` watches everything and is accepted only as `{ prefix: '' }`.
   */
  static of(target: WatchTarget): KeyRange {
    if (typeof target === 'string') {
      if (target === '') {
        throw new InvalidOptionsError(
          `the target '' would watch every key: say { prefix: '' } if that is what you want`,
        );
      }
      return new KeyRange('prefix', rawKeyOf(target));
    }
    const { key, prefix } = asRecord(target);
    if ((key === undefined) === (prefix === undefined)) {
      throw new InvalidOptionsError('a target is a string, { prefix } or { key }: exactly one of prefix and key');
    }
    if (prefix !== undefined) return new KeyRange('prefix', rawKeyOf(asKey(prefix, 'prefix')));
    const rawKey = rawKeyOf(asKey(key, 'key'));
    if (rawKey === '') throw new InvalidOptionsError('the key of a target is empty: etcd has no empty key');
    return new KeyRange('key', rawKey);
  }

  includes(rawKey: string): boolean {
    return this.kind === 'key' ? rawKey === this.rawKey : rawKey.startsWith(this.rawKey);
  }

  /** As it was given, for `ResyncNotice` and `WatchSubscription`. */
  get target(): WatchTarget {
    return this.kind === 'key' ? { key: keyText(this.rawKey) } : { prefix: keyText(this.rawKey) };
  }

  /** For messages: `prefix "/app/"`. */
  toString(): string {
    return `${this.kind} "${keyText(this.rawKey)}"`;
  }
}

function asRecord(target: unknown): { readonly key?: unknown; readonly prefix?: unknown } {
  if (typeof target === 'object' && target !== null) return target;
  throw new InvalidOptionsError(
    `a target is a string, { prefix } or { key }, not ${target === null ? 'null' : typeof target}`,
  );
}

function asKey(value: unknown, name: string): string | Buffer {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  throw new InvalidOptionsError(
    `the ${name} of a target is a string or a Buffer, not ${value === null ? 'null' : typeof value}`,
  );
}

/** What to watch: one key, or every key that begins with a prefix. A plain string is a prefix; the empty prefix only as `{ prefix: '' }`. */
export type WatchTarget = string | { readonly prefix: string | Buffer } | { readonly key: string | Buffer };
